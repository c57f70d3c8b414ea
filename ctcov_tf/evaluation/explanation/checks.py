"""All checks of the heat maps on some images of the part judged: do the maps explain the network?"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ctcov_tf.evaluation import figures
from ctcov_tf.evaluation.explanation import deletion, drawings, lung_share, randomisation, sample
from ctcov_tf.explain import GradCam
from ctcov_tf.model_info import Labels
from ctcov_tf.models import scores
from ctcov_tf.run_directory import RunDirectory

BATCH_SIZE = 16


def check(
    run: RunDirectory, split: str, predictions: pd.DataFrame, threshold: float, model: keras.Model
) -> dict[str, Any]:
    """Checks Grad-CAM of a run, and draws what was found into the run's figures.

    Args:
      run: the run.
      split: part of its dataset.
      predictions: of that part, as `predict_split` gives them.
      threshold: of the decision.
      model: the run's network; its weights are changed and put back.

    Returns:
      `split`, `rule` (how the images were chosen), `images`, `groups`, `empty_heatmaps` (images that enter no check),
      the `layer` explained, `frozen_parts`, and what `randomisation.compare`, `deletion.check` and `lung_share.check`
      gave as `randomisation`, `deletion` and `lungs`; `figures`: their file names by kind. `left_out`, the reason,
      in place of the checks where every heat map is empty.

    Raises:
      CtcovError: the dataset cannot be read, or the network has no feature map.
    """
    positions, rule = sample.choose(predictions, threshold, run.labels)
    chosen = sample.read(run.config, split, positions)
    cam = GradCam(model, run.labels)
    explain = _in_batches(lambda images: cam(images)[1])
    heatmaps = explain(chosen.seen)
    bears_evidence: npt.NDArray = np.any(heatmaps, axis=(1, 2))
    found: dict[str, Any] = {
        "split": split,
        "rule": rule,
        "images": len(positions),
        "groups": len(set(chosen.groups)),
        "empty_heatmaps": int((~bears_evidence).sum()),
        "layer": cam.layer,
        "frozen_parts": [part.name for part in run.parts],
    }
    if not bears_evidence.any():
        return found | {"left_out": "the heat maps of all images are empty: the network shows no evidence to check"}
    chosen, heatmaps = chosen.only(bears_evidence), heatmaps[bears_evidence]
    side = run.config.preprocess.image_size

    cut = randomisation.stages(model, cam.layer)
    randomised = randomisation.cascade(model, explain, chosen.seen, cut)
    layers = dict(zip(cut, np.cumsum([len(one) for one in cut.values()]).tolist(), strict=True))
    found["randomisation"] = randomisation.compare(heatmaps, randomised, layers, chosen.groups, side)
    found["deletion"] = deletion.check(_answer(model, run.labels, chosen.seen), chosen.seen, heatmaps, chosen.groups)
    masks = lung_share.find_lungs(chosen.grey, side)
    found["lungs"] = lung_share.check(heatmaps, masks, chosen.groups, run.manifest["name"])
    return found | {"figures": _draw(run, found, chosen, heatmaps, randomised, masks)}


def _answer(model: keras.Model, labels: Labels, images: npt.NDArray) -> deletion.Answer:
    """Probability of the output that each image's heat map explains, of these images or changed copies of them."""
    probabilities = _in_batches(
        tf.function(lambda batch: scores.probabilities(model(batch, training=False), labels), reduce_retracing=True)
    )
    explained = scores.explained_output(probabilities(images), labels).numpy()
    return lambda changed: np.take_along_axis(probabilities(changed), explained[:, np.newaxis], axis=1)[:, 0]


def _in_batches(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[npt.NDArray], npt.NDArray]:
    def whole(images: npt.NDArray) -> npt.NDArray:
        starts = range(0, len(images), BATCH_SIZE)
        return np.concatenate([function(tf.constant(images[start : start + BATCH_SIZE])).numpy() for start in starts])

    return whole


def _draw(
    run: RunDirectory,
    found: dict[str, Any],
    chosen: sample.Sample,
    heatmaps: npt.NDArray,
    randomised: dict[str, npt.NDArray],
    masks: list[npt.NDArray | None],
) -> dict[str, str]:
    drawn = {
        "randomisation": drawings.likeness(found["randomisation"]),
        "cascade": drawings.cascade(chosen.seen, heatmaps, randomised),
        "deletion": drawings.curves(found["deletion"]),
    }
    if "left_out" not in found["lungs"]:
        drawn["lungs"] = drawings.lungs(chosen.seen, heatmaps, masks)
    names = {kind: f"explanation_{kind}.png" for kind in drawn}
    for kind, figure in drawn.items():
        figures.save(figure, run.figures / names[kind])
    return names
