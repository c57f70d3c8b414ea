"""Do all exports answer as the trained network does? One table, and an error above stated bounds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
import dataclasses
import pathlib
import statistics
import time
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
import tensorflow as tf

from ctcov_tf import RESEARCH_USE, errors, files
from ctcov_tf.datasets import contents
from ctcov_tf.export import layout, samples
from ctcov_tf.predictor import Prediction, Predictor, RunPredictor, SavedModelPredictor, load
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import bootstrap

REFERENCE = "keras"
PIXELS = "saved_model pixels"


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a form may differ by from the trained network; None where nothing is asked.

    Attributes:
      score_difference: largest difference of a probability, and of a likelihood of a frozen part.
      gate_difference: largest difference of the gate's score, a distance in many dimensions over a limit of 1.
      auc_drop: largest loss of AUC, judged from `AUC_IMAGES` images on.
      flipped_share: largest share of images with another decision; `FLIPS_LET_PASS` are always let pass.
    """

    score_difference: float | None = None
    gate_difference: float | None = None
    auc_drop: float | None = None
    flipped_share: float | None = None


BOUNDS = {
    "saved_model": Bound(score_difference=1e-4, gate_difference=1e-3),
    PIXELS: Bound(score_difference=1e-4, gate_difference=1e-3),
    "float32": Bound(score_difference=1e-4, gate_difference=5e-3),
    "float16": Bound(score_difference=1e-2, gate_difference=0.1),
    "keras_float16": Bound(score_difference=1e-2, gate_difference=0.1, auc_drop=0.005, flipped_share=0.02),
    "saved_model_bfloat16": Bound(auc_drop=0.02, flipped_share=0.05),
    "dynamic_int8": Bound(auc_drop=0.02, flipped_share=0.05),
    "int8": Bound(auc_drop=0.03, flipped_share=0.1),
}
AUC_IMAGES = 50  # with fewer, the order of a few pairs moves AUC by more than its bound
FLIPS_LET_PASS = 2  # in 8 bits, scores next to the threshold may cross it; with few images a share says little


def verify(
    run: RunDirectory,
    exports: Mapping[str, pathlib.Path],
    record: str | pathlib.Path,
    *,
    limit: int = 200,
    seed: int = 0,
) -> dict[str, Any]:
    """Runs the trained network and its exports on the same validation images, and holds the exports to their bounds.

    Args:
      run: the run that was exported.
      exports: path by form: those of `export_saved_model` and of `export_tflite`.
      record: JSON file to write; the table is written beside it with the suffix `.md`.
      limit: most images to run; all of validation if it has fewer.
      seed: of their choice.

    Returns:
      What `compare` gives.

    Raises:
      CtcovError: a form exceeds its bound; the record is written all the same.
    """
    result = compare(run, exports, limit=limit, seed=seed)
    record = pathlib.Path(record)
    files.write_json(record, result)
    files.write_text(record.with_suffix(".md"), f"{table(result)}\n\n{RESEARCH_USE}\n")
    if found := faults(result):
        raise errors.CtcovError(
            f"{record}: exports differ from the trained network ({'; '.join(found)}): leave these out with --forms"
        )
    return result


def faults(result: dict[str, Any]) -> list[str]:
    """Where a form exceeds its bound.

    Args:
      result: what `compare` gave.
    """
    return [fault for form, row in result["forms"].items() for fault in _faults(form, row, result["images"])]


def compare(
    run: RunDirectory, exports: Mapping[str, pathlib.Path], *, limit: int = 200, seed: int = 0
) -> dict[str, Any]:
    """Runs the trained network and its exports on the same validation images.

    Args:
      run: the run that was exported.
      exports: path by form.
      limit: most images to run; all of validation if it has fewer.
      seed: of their choice.

    Returns:
      The record: `images`, and under `forms` for each form its `file`, `megabytes`, `latency_ms` (median,
      one image at a time, file bytes to answer), `score_difference` (largest, of any output), of
      Deep-CXR-Net `likelihood_difference` (largest), of a run with a gate `refused` (how many images), `gate_flipped`
      (names of images that one of the two refuses) and `ood_difference` (largest, of scores whose limit is 1),
      `flipped` (names of the images with another decision, a refusal among them), `auc`, `auc_change` and
      `auc_change_interval` (95 %, paired: groups of images drawn again, the same for both networks); all three
      None where the images are of one class, the last also where they are of one group. Differences and AUC are
      those of images that both answer.
    """
    images = samples.draw(run.config.data, "validation", limit, seed)
    positive, groups = _positive(run, images)
    paths = {REFERENCE: run.path}
    for form, path in exports.items():
        paths[form] = pathlib.Path(path)
        if form == "saved_model":
            paths[PIXELS] = pathlib.Path(path)

    rows: dict[str, dict[str, Any]] = {}
    reference: list[Prediction] = []
    with Bar(total=len(paths) * len(images), desc="verify", unit="image") as progress:
        for form, path in paths.items():
            progress.set_postfix_str(form)
            predictor = _OPENED.get(form, load)(path)
            answers, latency = _run(predictor, images, progress)
            reference = reference or answers
            rows[form] = {
                "file": str(path),
                "megabytes": _megabytes(run.model_file if form == REFERENCE else path),
                "latency_ms": latency,
                **_differences(answers, reference),
                **_auc(positive, groups, answers, reference),
            }
    return {"dataset": run.manifest["name"], "split": "validation", "images": len(images), "forms": rows}


def table(result: dict[str, Any]) -> str:
    """The record of `verify` as a Markdown table."""
    reference = result["forms"][REFERENCE]
    fused, gated = "likelihood_difference" in reference, "refused" in reference
    lines = [
        f"{result['images']} {result['split']} images of {result['dataset']}, one at a time",
        "",
        f"| form | MB | latency, ms | largest score difference |{' of a likelihood |' * fused} flipped decisions "
        f"|{' refused (otherwise) | gate score difference |' * gated} AUC | change [95 % interval] |",
        f"| --- | ---: | ---: | ---: |{' ---: |' * fused} --- |{' ---: | ---: |' * gated} ---: | --- |",
    ]
    for form, row in result["forms"].items():
        auc = "" if row["auc"] is None else f"{row['auc']:.4f}"
        flipped = f"{len(row['flipped'])} ({', '.join(row['flipped'])})" if row["flipped"] else "0"
        likelihood = f" | {row['likelihood_difference']:.1e}" if fused else ""
        gate = f" | {row['refused']} ({len(row['gate_flipped'])}) | {row['ood_difference']:.1e}" if gated else ""
        lines.append(
            f"| {form} | {row['megabytes']:.2f} | {row['latency_ms']:.1f} | {row['score_difference']:.1e}{likelihood} "
            f"| {flipped}{gate} | {auc} | {_change(row)} |"
        )
    return "\n".join(lines)


def _change(row: dict[str, Any]) -> str:
    if row["auc_change"] is None:
        return ""
    low, high = row["auc_change_interval"] or (float("nan"), float("nan"))
    return f"{row['auc_change']:+.4f} [{low:+.4f}, {high:+.4f}]"


class PixelsPredictor(SavedModelPredictor):
    """The signature of a SavedModel that takes decoded images."""

    def outputs(self, data: bytes, image: np.ndarray, *, heatmaps: bool = False) -> Mapping[str, np.ndarray]:  # noqa: D102
        answer = self.model.signatures["pixels"](images=tf.constant(image[np.newaxis]))
        return {name: output.numpy() for name, output in answer.items()}


_OPENED: dict[str, Callable[[pathlib.Path], Predictor]] = {REFERENCE: RunPredictor, PIXELS: PixelsPredictor}
"""What opens a form otherwise than by what stands there: a shipped run directory would answer by its TFLite file."""


def _positive(run: RunDirectory, images: list[samples.Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Of each image, whether it is positive (1, 0, or -1 where unknown), and its group."""
    table = contents.metadata(run.config.data, "validation").set_index("image_id")
    rows = table.loc[[sample.image_id for sample in images]]
    return contents.targets(run.config.data, run.labels, rows)[:, run.labels.positive_output], rows[
        "group_id"
    ].to_numpy()


def _run(predictor: Predictor, images: list[samples.Sample], progress: Bar) -> tuple[list[Prediction], float]:
    """Answers, and median latency in ms."""
    predictor.predict(images[0].data, images[0].image_id)  # warm up
    answers, seconds = [], []
    for sample in images:
        start = time.perf_counter()
        answers.append(predictor.predict(sample.data, sample.image_id))
        seconds.append(time.perf_counter() - start)
        progress.update()
    return answers, 1e3 * statistics.median(seconds)


def _differences(answers: list[Prediction], reference: list[Prediction]) -> dict[str, Any]:
    pairs = list(zip(answers, reference, strict=True))
    answered = [(a, b) for a, b in pairs if a.reason is None and b.reason is None]
    found: dict[str, Any] = {"score_difference": _largest((a.probabilities, b.probabilities) for a, b in answered)}
    if reference[0].likelihoods:
        found["likelihood_difference"] = _largest((a.likelihoods, b.likelihoods) for a, b in answered)
    if reference[0].in_distribution is not None:
        found["refused"] = sum(a.reason is not None for a in answers)
        found["gate_flipped"] = [a.name for a, b in pairs if a.reason != b.reason]
        found["ood_difference"] = _largest(({"": a.ood_score}, {"": b.ood_score}) for a, b in pairs)
    found["flipped"] = [a.name for a, b in pairs if a.label != b.label]
    return found


def _largest(pairs: Iterable[tuple[Mapping[str, float | None], Mapping[str, float | None]]]) -> float:
    """Largest difference of a value, 0 of no values; not a number if one is none."""
    differences = [np.array(one[name], float) - np.array(other[name], float) for one, other in pairs for name in other]
    return float(np.max(np.abs(differences), initial=0.0))


def _auc(
    positive: np.ndarray, groups: np.ndarray, answers: list[Prediction], reference: list[Prediction]
) -> dict[str, Any]:
    """AUC and its change from the reference, with the interval of that, on images of known class that both answer."""
    answered = [a.reason is None and b.reason is None for a, b in zip(answers, reference, strict=True)]
    known = (positive != contents.MASKED) & np.array(answered)
    if len(set(positive[known])) < 2:
        return {"auc": None, "auc_change": None, "auc_change_interval": None}
    scores, expected = (np.array([one.probability for one in given], float)[known] for given in (answers, reference))
    auc = float(roc_auc_score(positive[known], scores))
    return {
        "auc": auc,
        "auc_change": auc - float(roc_auc_score(positive[known], expected)),
        "auc_change_interval": bootstrap.auc_difference(positive[known], scores, expected, groups[known]),
    }


def _faults(form: str, row: dict[str, Any], images: int) -> Iterator[str]:
    bound = BOUNDS.get(form, Bound())
    if bound.score_difference is not None and not row["score_difference"] <= bound.score_difference:
        yield f"{form}: a score differs by {row['score_difference']:.1e}, bound {bound.score_difference:.0e}"
    likelihood = row.get("likelihood_difference", 0.0)
    if bound.score_difference is not None and not likelihood <= bound.score_difference:
        yield f"{form}: a likelihood differs by {likelihood:.1e}, bound {bound.score_difference:.0e}"
    gate = row.get("ood_difference", 0.0)
    if bound.gate_difference is not None and not gate <= bound.gate_difference:
        yield f"{form}: a gate score differs by {gate:.1e}, bound {bound.gate_difference:.0e}"
    enough = images >= AUC_IMAGES and row["auc_change"] is not None
    if bound.auc_drop is not None and enough and not row["auc_change"] >= -bound.auc_drop:
        yield f"{form}: AUC changes by {row['auc_change']:+.3f}, bound -{bound.auc_drop}"
    if bound.flipped_share is not None and len(row["flipped"]) > max(FLIPS_LET_PASS, bound.flipped_share * images):
        yield f"{form}: {len(row['flipped'])} of {images} decisions flip, bound {bound.flipped_share:.0%}"


def _megabytes(path: pathlib.Path) -> float:
    inside = (part for part in path.rglob("*") if part.is_file() and part.name != layout.SERVED_TFLITE)
    return sum(part.stat().st_size for part in ([path] if path.is_file() else inside)) / 1e6
