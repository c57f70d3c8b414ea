"""`ctcov predict`: image files and studies in, a table or JSON lines out, and heat maps if asked for."""

from collections.abc import Iterable, Sequence
import dataclasses
import json
import pathlib
import sys
from typing import Any

from ctcov_tf import RESEARCH_USE, errors, files, predictor, shipped
from ctcov_tf.images import decode, dicom_files
from ctcov_tf.model_info import ModelInfo


def predict_command(
    model: str | pathlib.Path,
    images: Iterable[str | pathlib.Path],
    *,
    as_json: bool = False,
    heatmap: str | pathlib.Path | None = None,
    threads: int | None = None,
    window: tuple[float, float] | None = None,
) -> int:
    """Answers image files and studies of DICOM files: a table on stdout, or a JSON object a line.

    An image that cannot be read gets one line on stderr; the others are answered all the same. One that the model's
    input gate refuses has no probability: the reason stands in its place, and no heat map is drawn. DICOM files, and
    folders that hold some, come after the images, series by series (`predict_studies`).

    Args:
      model: what `predictor.load` opens.
      images: the image files, DICOM files and folders of DICOM files.
      as_json: JSON lines instead of the table.
      heatmap: folder to write a PNG to for every image, with its heat map laid over it; of Deep-CXR-Net
        those of part 3 and of the frozen parts, from left to right.
      threads: threads of a TFLite file.
      window: centre and width of the window that CT goes through, Hounsfield units; that of the lung if None.

    Returns:
      Exit code: 0, or 2 where an image could not be answered.

    Raises:
      CtcovError: the model cannot be opened, or heat maps or DICOM files need a package that is not installed.
    """
    opened = predictor.load(model, threads)
    named = [pathlib.Path(image) for image in images]
    dicom, paths = dicom_files.find(named)
    if dicom:
        errors.need(*predictor.DICOM)
    if heatmap:
        errors.need("cv2", "heat maps need it: pip install opencv-python-headless")
    taken: set[str] = set()
    answer = _answering(opened, pathlib.Path(heatmap) if heatmap else None, taken)
    code = _predict_images(opened, paths, answer, as_json=as_json) if paths else 0
    if dicom:
        from ctcov_tf import predict_studies

        found = predict_studies.predict_studies(opened.info, dicom, answer, named=named, as_json=as_json, window=window)
        code = max(code, found)
        if found and opened.shipped and (remedy := shipped.remedy(opened.info.modality)):
            print(remedy, file=sys.stderr)
    if not as_json:
        print(_foot(opened, drawn=bool(taken)))
    return code


def _answering(opened: predictor.Predictor, heatmap: pathlib.Path | None, taken: set[str]) -> predictor.Answer:
    """What answers one image, and draws its heat map into a folder if one is given."""

    def answer(data: bytes, name: str, stem: str) -> tuple[predictor.Prediction, dict[str, Any]]:
        if not heatmap:
            return opened.predict(data, name), {}
        explanation = opened.explain(data, name)
        picture = None if explanation.prediction.reason else str(_draw(explanation, stem, heatmap, taken))
        return explanation.prediction, {"heatmap": picture, "explained": list(explanation.heatmaps)}

    return answer


def _predict_images(
    opened: predictor.Predictor, paths: Sequence[pathlib.Path], answer: predictor.Answer, *, as_json: bool
) -> int:
    info, ours = opened.info, opened.shipped
    remedy = shipped.remedy(info.modality) if ours else None
    about: dict[str, Any] = {"shipped": ours.facts()} if ours else {}
    width = max([len(str(path)) for path in paths] + [len("image")])
    labels = info.labels
    decision_width = max(len("decision"), len(labels.positive), len(labels.negative))
    if not as_json:
        print(_row("image", "probability", "threshold", "decision", _set_title(info), (width, decision_width)))
    code, refused = 0, False
    for path in paths:
        try:
            found, drawn = answer(decode.read_bytes(path), str(path), path.stem)
        except errors.CtcovError as error:
            print(f"error: {error}", file=sys.stderr)
            code = errors.EXIT_USER_ERROR
            continue
        refused = refused or found.reason is not None
        if as_json:
            content = {"image": found.name, **dataclasses.asdict(found), **about, "notice": RESEARCH_USE}
            del content["name"]
            if remedy and found.reason:
                content["remedy"] = remedy
            print(json.dumps(content | drawn), flush=True)
        else:
            print(_answer_row(path, found, (width, decision_width)), flush=True)
    if remedy and refused and not as_json:
        print(remedy)
    return code


def _set_title(info: ModelInfo) -> str:
    return f"set at {info.conformal.coverage:.0%}" if info.conformal else ""


def _answer_row(path: pathlib.Path, answer: predictor.Prediction, widths: tuple[int, int]) -> str:
    if answer.probability is None:
        return _row(str(path), "-", "-", answer.label, "", widths)
    classes = ", ".join(answer.prediction_set) or "none" if answer.prediction_set is not None else ""
    return _row(str(path), f"{answer.probability:.4f}", f"{answer.threshold:.4f}", answer.label, classes, widths)


def _row(image: str, probability: str, threshold: str, decision: str, classes: str, widths: tuple[int, int]) -> str:
    name = errors.printable(image)
    return f"{name:{widths[0]}}  {probability:>11}  {threshold:>9}  {decision:{widths[1]}}  {classes}".rstrip()


def _foot(opened: predictor.Predictor, *, drawn: bool) -> str:
    """What stands below the table."""
    info = opened.info
    lines = [opened.shipped.sentence()] if opened.shipped else []
    lines += [f"{info.name}, probability of {info.labels.positive}. {RESEARCH_USE}"]
    if info.conformal:
        lines.append(f"a set of several classes: no decision at a coverage of {info.conformal.coverage:.0%}")
    if info.parts:
        parts = [part.name for part in info.parts]
        if drawn:
            lines.append(f"heat maps from left to right: {', '.join([info.name, *parts])}")
        lines.append(f"likelihoods of {' and '.join(parts)}: with --json")
    return "\n".join(lines)


def _draw(explanation: predictor.Explanation, stem: str, folder: pathlib.Path, taken: set[str]) -> pathlib.Path:
    """Writes the image with each heat map, side by side; images of one name from several folders get a number."""
    import cv2

    from ctcov_tf.images import overlay

    picture = cv2.hconcat([overlay.overlay(explanation.image, heatmap) for heatmap in explanation.heatmaps.values()])
    drawn = folder / f"{files.unused_name(stem, taken)}.png"
    with files.atomic_path(drawn) as beside:
        beside.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    return drawn
