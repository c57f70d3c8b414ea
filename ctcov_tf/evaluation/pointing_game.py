"""Pointing game (arXiv 1608.00507): does the heat map's maximum fall into the lesion?

Needs a dataset that knows its lesions (`lesion_mask`), such as the phantoms.
"""

from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import input_pipeline
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation.summary import mean
from ctcov_tf.explain import GradCam
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory

TOLERANCE = 15 / 256  # of the image's side: the 15 pixels of the paper, at 256 pixels


def play(run: RunDirectory, split: str, model: keras.Model) -> dict[str, Any] | None:
    """Plays the game over the images of the positive class that bear lesions.

    Args:
      run: the run.
      split: part of its dataset.
      model: the network of the run.

    Returns:
      What `score` gives, `split`, and the `layer` explained; None where the dataset knows no lesions, or where the
      network answers for findings, which the lesions are not told apart by.

    Raises:
      CtcovError: the dataset is missing.
    """
    if run.labels.head == "findings":
        return None
    examples = contents.examples(run.config.data, split)
    if "lesion_mask" not in examples.element_spec:
        return None
    size = run.config.preprocess.image_size
    cam = GradCam(model, run.labels)
    batches = input_pipeline.evaluation_batches(run.config, run.labels, split).unbatch()
    heatmaps, masks, groups = [], [], []
    progress = Bar(examples, desc=f"pointing game {split}", unit="image")
    for example, (image, _) in zip(progress, batches, strict=True):
        if int(example["label"]) != run.labels.positive_index:
            continue
        mask = _read_mask(example["lesion_mask"].numpy(), size)
        if mask.any():
            heatmaps.append(cam(image[tf.newaxis])[1][0].numpy())
            masks.append(mask)
            groups.append(example["group_id"].numpy().decode())
    return {"split": split, "layer": cam.layer, **score(heatmaps, masks, groups)}


def score(heatmaps: list[npt.NDArray], masks: list[npt.NDArray], groups: list[str]) -> dict[str, Any]:
    """Share of images whose highest cell of the heat map has its centre in or near the lesion.

    Args:
      heatmaps: (h', w') float each; one that is zero everywhere is a miss.
      masks: (h, w) bool each, True in the lesion.
      groups: each image's group, for the interval.

    Returns:
      `images`, `hits`, `empty_heatmaps`, `share` with its `low` and `high`, `chance` (mean share of the
      image's area that counts as a hit) and `tolerance_pixels`; None where there is no image.
    """
    radius = round(TOLERANCE * masks[0].shape[0]) if masks else 0
    targets = [_dilate(mask, radius) for mask in masks]
    hits = np.array([_points_into(*pair) for pair in zip(heatmaps, targets, strict=True)], float)
    share = mean(hits, groups)
    return {
        "images": len(hits),
        "groups": len(set(groups)),
        "hits": int(hits.sum()),
        "empty_heatmaps": sum(not heatmap.any() for heatmap in heatmaps),
        "share": share["value"],
        "low": share["low"],
        "high": share["high"],
        "chance": float(np.mean([target.mean() for target in targets])) if targets else None,
        "tolerance_pixels": radius,
    }


def _points_into(heatmap: npt.NDArray, target: npt.NDArray) -> bool:
    if not heatmap.any():
        return False
    cell = np.array(np.unravel_index(np.argmax(heatmap), heatmap.shape))
    row, column = ((cell + 0.5) * target.shape / heatmap.shape).astype(int)
    return bool(target[row, column])


def _read_mask(png: bytes, size: int) -> npt.NDArray:
    mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert mask is not None  # TFDS has checked it
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT) > 0


def _dilate(mask: npt.NDArray, radius: int) -> npt.NDArray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), disc) > 0
