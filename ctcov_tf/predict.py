"""`ctcov predict`: image files in, a table or JSON lines out, and heat maps if asked for."""

from collections.abc import Iterable
import dataclasses
import json
import pathlib
import sys

from ctcov_tf import RESEARCH_USE, errors, files, predictor
from ctcov_tf.images import decode
from ctcov_tf.model_info import ModelInfo


def predict_command(
    model: str | pathlib.Path,
    images: Iterable[str | pathlib.Path],
    *,
    as_json: bool = False,
    heatmap: str | pathlib.Path | None = None,
    threads: int | None = None,
) -> int:
    """Answers image files: a table on stdout, or a JSON object a line.

    An image that cannot be read gets one line on stderr; the others are answered all the same.

    Args:
      model: what `predictor.load` opens.
      images: the image files.
      as_json: JSON lines instead of the table.
      heatmap: folder to write a PNG to for every image, with its heat map laid over it; of Deep-CXR-Net
        those of part 3 and of the frozen parts, from left to right.
      threads: threads of a TFLite file.

    Returns:
      Exit code: 0, or 2 where an image could not be answered.

    Raises:
      CtcovError: the model cannot be opened.
    """
    opened = predictor.load(model, threads)
    paths = [pathlib.Path(image) for image in images]
    width = max([len(str(path)) for path in paths] + [len("image")])
    if not as_json:
        print(f"{'image':{width}}  probability  threshold  decision")
    code = 0
    taken: set[str] = set()
    for path in paths:
        try:
            data = decode.read_bytes(path)
            if heatmap:
                explanation = opened.explain(data, str(path))
                answer = explanation.prediction
                drawn = {
                    "heatmap": str(_draw(explanation, path, pathlib.Path(heatmap), taken)),
                    "explained": list(explanation.heatmaps),
                }
            else:
                answer, drawn = opened.predict(data, str(path)), {}
        except errors.CtcovError as error:
            print(f"error: {error}", file=sys.stderr)
            code = errors.EXIT_USER_ERROR
            continue
        if as_json:
            content = {"image": answer.name, **dataclasses.asdict(answer), "notice": RESEARCH_USE}
            del content["name"]
            print(json.dumps(content | drawn), flush=True)
        else:
            print(f"{path!s:{width}}  {answer.probability:11.4f}  {answer.threshold:9.4f}  {answer.label}", flush=True)
    if not as_json:
        print(_foot(opened.info, drawn=bool(taken)))
    return code


def _foot(info: ModelInfo, *, drawn: bool) -> str:
    """What stands below the table."""
    lines = [f"{info.name}, probability of {info.labels.positive}. {RESEARCH_USE}"]
    if info.parts:
        parts = [part.name for part in info.parts]
        if drawn:
            lines.append(f"heat maps from left to right: {', '.join([info.name, *parts])}")
        lines.append(f"likelihoods of {' and '.join(parts)}: with --json")
    return "\n".join(lines)


def _draw(
    explanation: predictor.Explanation, path: pathlib.Path, folder: pathlib.Path, taken: set[str]
) -> pathlib.Path:
    """Writes the image with each heat map, side by side; images of one name from several folders get a number."""
    import cv2

    from ctcov_tf.images import overlay

    picture = cv2.hconcat([overlay.overlay(explanation.image, heatmap) for heatmap in explanation.heatmaps.values()])
    drawn = folder / f"{files.unused_name(path.stem, taken)}.png"
    with files.atomic_path(drawn) as beside:
        beside.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    return drawn
