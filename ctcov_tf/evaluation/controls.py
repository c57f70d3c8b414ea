"""Negative controls: what the trained network scores on images whose lungs are hidden.

A network that reads lungs is at chance where there are none. One that is not reads the border, the shape of the body or
the make of the file, and part of its score on whole images may be that.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
import tensorflow as tf

from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import panels
from ctcov_tf.evaluation.predictions import BATCH_SIZE
from ctcov_tf.evaluation.summary import SEED, auc_difference, summarise
from ctcov_tf.images import masks
from ctcov_tf.images.decode import decode_grey
from ctcov_tf.images.preprocess import preprocess_all
from ctcov_tf.models import scores
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory

MASKS = {"centre_masked": masks.centre_masked, "border_only": masks.border_only}
MOST_IMAGES = 1000  # of a larger part whole groups are drawn, so that the controls take bounded time


def play(run: RunDirectory, split: str, predictions: pd.DataFrame, model: keras.Model) -> dict[str, Any] | None:
    """Scores the masked images of a part beside the whole ones.

    Args:
      run: the run.
      split: part of its dataset.
      predictions: of that part, as `predict_split` gives them, of known target; the index counts the part's images.
      model: the run's network.

    Returns:
      `images`, `groups`, `positives` and `of_images` (how many the part has); `whole`: the `auc` of the same images
      unmasked; `masks`: `auc` and `auc_difference` (masked minus whole, over the same replicates) by mask, each with
      `value`, `low` and `high`; `kept`: share of the area that a mask keeps. None where the part holds one class only.
    """
    if predictions["target"].nunique() < 2:
        return None
    rows = sample_groups(predictions, MOST_IMAGES)
    name = "uncalibrated" if "uncalibrated" in rows else "probability"
    whole = rows[["target", "group_id"]].assign(probability=rows[name])
    if whole["target"].nunique() < 2:
        return None
    found: dict[str, dict[str, Any]] = {}
    for mask, probability in predict_masked(run, split, rows.index.to_numpy(), model).items():
        masked = whole.assign(probability=probability)
        found[mask] = {
            "auc": summarise(masked, 0.5)["metrics"]["auc"],
            "auc_difference": auc_difference(masked, whole),
        }
    all_of = summarise(whole, 0.5)
    return {
        **{count: all_of[count] for count in ("images", "groups", "positives")},
        "of_images": len(predictions),
        "whole": {"auc": all_of["metrics"]["auc"]},
        "masks": found,
        "kept": {mask: _kept(mask) for mask in MASKS},
    }


def sample_groups(predictions: pd.DataFrame, most: int, seed: int = SEED) -> pd.DataFrame:
    """Whole groups, drawn at random, that together have no more images than asked for.

    Args:
      predictions: `group_id` of each image.
      most: images.
      seed: of the drawing.

    Returns:
      Their rows, in the order given; all of them where they are no more than `most`.
    """
    if len(predictions) <= most:
        return predictions
    sizes = predictions["group_id"].value_counts(sort=False).sort_index()
    drawn = sizes.sample(frac=1, random_state=seed)
    return predictions[predictions["group_id"].isin(drawn.index[drawn.cumsum() <= most])]


def predict_masked(run: RunDirectory, split: str, indices: npt.NDArray, model: keras.Model) -> dict[str, npt.NDArray]:
    """Probability of the positive class on masked images.

    They take the way of all images: decoded to grey, masked at their native size, then pre-processed as the run is.

    Args:
      run: the run.
      split: part of its dataset.
      indices: (n,), places in that part, ascending.
      model: the run's network.

    Returns:
      (n,) float64 by each of `MASKS`.
    """
    answers_to = tf.function(scores.Answers(model, run.labels, run.parts), reduce_retracing=True)
    found: dict[str, list[npt.NDArray]] = {mask: [] for mask in MASKS}
    with Bar(total=len(indices), desc=f"controls {split}", unit="image") as bar:
        for images in _batches(run, split, indices):
            for mask, hide in MASKS.items():
                answers = answers_to(preprocess_all([hide(image) for image in images], run.config.preprocess))[
                    "probabilities"
                ]
                found[mask].append(scores.positive_probability(answers, run.labels).numpy())
            bar.update(len(images))
    return {mask: np.concatenate(values).astype(float) for mask, values in found.items()}


def draw(run: RunDirectory, split: str, index: int, found: dict[str, Any]) -> Image.Image:
    """Shows one image of a part whole and masked, with the AUC on all of them.

    Args:
      run: the run.
      split: part of its dataset.
      index: place of the image in that part.
      found: what `play` gave.
    """
    ((image,),) = _batches(run, split, np.array([index]))
    images = {"whole": image} | {mask: hide(image) for mask, hide in MASKS.items()}
    aucs = {"whole": found["whole"]} | found["masks"]
    captions = [f"{name.replace('_', ' ')}, AUC {aucs[name]['auc']['value']:.3f}" for name in images]
    return panels.draw(list(images.values()), captions, "the AUC is that of all images so masked")


def _batches(run: RunDirectory, split: str, indices: npt.NDArray) -> Iterator[list[npt.NDArray]]:
    """Grey levels of the images asked for, at their native size."""
    wanted, batch = set(indices.tolist()), []
    for index, example in enumerate(contents.examples(run.config.data, split).as_numpy_iterator()):
        if index in wanted:
            batch.append(decode_grey(example["image"], example["image_id"].decode()))
        if len(batch) == BATCH_SIZE:
            yield batch
            batch = []
    if batch:
        yield batch


def _kept(mask: str) -> float:
    """Share of the area of a large image that a mask keeps."""
    return float(np.mean(MASKS[mask](np.ones((512, 512), np.uint8))))
