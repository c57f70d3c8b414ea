"""Example cases: the image, what the network sees of it, and where its evidence lies."""

from collections.abc import Iterable
import dataclasses
import pathlib
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
import tensorflow as tf

from ctcov_tf import files, input_pipeline
from ctcov_tf.evaluation import panels
from ctcov_tf.explain import GradCam
from ctcov_tf.images import decode
from ctcov_tf.images.overlay import overlay
from ctcov_tf.models import scores
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.run_directory import RunDirectory

KINDS = ("wrong", "unsure", "right")
EACH = 4  # cases of a kind


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One image, explained.

    Attributes:
      probability: of the positive class, in [0, 1].
      grey: (h, w) uint8, the image at its native size.
      seen: (size, size) uint8, the pre-processed image stretched to grey levels.
      heatmap: (h', w') float32 in [0, 1].
    """

    probability: float
    grey: npt.NDArray
    seen: npt.NDArray
    heatmap: npt.NDArray


class Explainer:
    """Explains images of any size, one at a time.

    Args:
      run: the run: its pre-processing and labels.
      model: its network.
    """

    def __init__(self, run: RunDirectory, model: keras.Model):
        preprocess = Preprocess.from_preprocess_config(run.config.preprocess)
        cam = GradCam(model, run.labels)

        @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.uint8)])
        def explain(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            seen = preprocess(image)
            probabilities, heatmap = cam(seen)
            return scores.positive_probability(probabilities, run.labels)[0], seen[0], heatmap[0]

        self._explain = explain

    def __call__(self, rgb: npt.NDArray) -> Explanation:
        """Explains one decoded image, (h, w, 3) uint8."""
        probability, seen, heatmap = (one.numpy() for one in self._explain(rgb[np.newaxis]))
        return Explanation(float(probability), decode.to_grey(rgb), panels.to_uint8(seen), heatmap)


def pick_cases(predictions: pd.DataFrame, threshold: float, each: int = EACH) -> pd.DataFrame:
    """Chooses cases by their probability alone, so that nobody's eye selects them.

    Wrong: the surest wrong decisions. Unsure: nearest to the threshold. Right: the surest right ones, from
    both decisions in turn. No group gives two cases of a kind while others are left.

    Args:
      predictions: `target`, `probability`, `group_id` and `image_id` of each image.
      threshold: probability at and above which the decision is positive.
      each: cases of a kind.

    Returns:
      The rows chosen, with `kind` and `decision` (1 positive) added; the index still counts the images.
    """
    frame = predictions.reset_index(drop=True)
    decision = (frame["probability"] >= threshold).astype(int)
    span = np.where(decision, 1 - threshold, threshold)  # so that both sides of the threshold reach 1
    sureness = np.abs(frame["probability"].to_numpy() - threshold) / np.maximum(span, 1e-12)
    frame = frame.assign(decision=decision, sureness=sureness)
    right = frame["decision"] == frame["target"]
    ranked = {
        "wrong": frame[~right].sort_values(["sureness", "image_id"], ascending=[False, True]),
        "right": _in_turn(frame[right].sort_values(["sureness", "image_id"], ascending=[False, True])),
        "unsure": frame.sort_values(["sureness", "image_id"]),
    }
    chosen: list[pd.DataFrame] = []
    taken: set[int] = set()
    for kind, rows in ranked.items():
        rows = rows[~rows.index.isin(taken)]
        repeats = rows.groupby("group_id").cumcount()
        rows = rows.loc[repeats.sort_values(kind="stable").index].head(each)
        taken |= set(rows.index)
        chosen.append(rows.assign(kind=kind))
    cases = pd.concat(chosen).drop(columns="sureness")
    return cases.sort_values("kind", key=lambda kinds: kinds.map(KINDS.index), kind="stable")


def _in_turn(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows.groupby("decision").cumcount().sort_values(kind="stable").index]


def draw_cases(
    run: RunDirectory, split: str, predictions: pd.DataFrame, threshold: float, model: keras.Model
) -> list[dict[str, Any]]:
    """Explains the cases of a split and draws each as a PNG in the run's figures.

    Args:
      run: the run.
      split: part of its dataset.
      predictions: of that part, as `predict_split` gives them.
      threshold: of the decision.
      model: the run's network.

    Returns:
      One record a case: `kind`, `image_id`, `truth` and `decision` (names), `probability`, `evidence` (False
      where the heat map is empty) and `figure` (file name).
    """
    cases = pick_cases(predictions, threshold)
    explainer = Explainer(run, model)
    rows = dict(zip(cases.index, cases.to_dict("records"), strict=True))
    drawn: dict[int, dict[str, Any]] = {}
    for index, example in enumerate(input_pipeline.examples(run.config.data, split)):
        if index not in rows:
            continue
        case = rows[index]
        rgb = decode.decode_rgb(example["image"].numpy(), str(case["image_id"]))
        explanation = explainer(rgb)
        record = {
            "kind": case["kind"],
            "image_id": case["image_id"],
            "truth": run.labels.class_names[int(case["label"])],
            "decision": run.labels.positive if case["decision"] else run.labels.negative,
            "probability": float(case["probability"]),
            "evidence": bool(explanation.heatmap.any()),
        }
        footer = f"truth {record['truth']}, decision {record['decision']} ({record['probability']:.3f})"
        drawn[index] = record | {"sheet": _sheet(explanation, footer)}
    records = []
    numbers = cases.groupby("kind").cumcount() + 1
    for index in cases.index:
        record = drawn[index]
        name = f"case_{split}_{record['kind']}_{numbers[index]}.png"
        panels.save(record.pop("sheet"), run.figures / name)
        records.append(record | {"figure": name})
    return records


def explain_images(run: RunDirectory, paths: Iterable[pathlib.Path], directory: pathlib.Path) -> list[dict[str, Any]]:
    """Explains image files: writes `<stem>_cam.png` for each, with the image, the network's view and the overlay.

    Args:
      run: the run.
      paths: the image files; of those with one stem the later ones get a number.
      directory: folder for the PNGs.

    Returns:
      One record an image: `image`, `probability`, `decision` and `overlay` (the PNG's path).

    Raises:
      CtcovError: an image cannot be read (none of the later ones is explained), or the run is not finished.
    """
    info = run.model_info()
    explainer = Explainer(run, run.load_model())
    records: list[dict[str, Any]] = []
    taken: set[str] = set()
    for path in map(pathlib.Path, paths):
        explanation = explainer(decode.read_rgb(path))
        decision = info.labels.positive if explanation.probability >= info.threshold else info.labels.negative
        footer = f"{info.labels.positive} {explanation.probability:.3f}, threshold {info.threshold:.3f}: {decision}"
        drawn = pathlib.Path(directory) / f"{files.unused_name(path.stem, taken)}_cam.png"
        panels.save(_sheet(explanation, footer), drawn)
        records.append(
            {"image": str(path), "probability": explanation.probability, "decision": decision, "overlay": drawn}
        )
    return records


def _sheet(explanation: Explanation, footer: str) -> Image.Image:
    images = [explanation.grey, explanation.seen, overlay(explanation.grey, explanation.heatmap)]
    last = "Grad-CAM" if explanation.heatmap.any() else "Grad-CAM: no evidence"
    return panels.draw(images, ["image", "what the network sees", last], footer)
