"""A seeded sample of a split's image files: to calibrate and to compare exports with."""

import dataclasses

import numpy as np

from ctcov_tf import config as config_lib
from ctcov_tf.datasets import contents


@dataclasses.dataclass(frozen=True)
class Sample:
    """One image file of a dataset.

    Attributes:
      image_id: its name in the dataset.
      data: the file's bytes.
      label: integer label.
    """

    image_id: str
    data: bytes
    label: int


def draw(data: config_lib.DataConfig, split: str, limit: int, seed: int = 0) -> list[Sample]:
    """Draws images without replacement, in dataset order.

    Args:
      data: the dataset.
      split: which part of it.
      limit: most images to draw; all if the split has fewer.
      seed: of the drawing.

    Returns:
      The images.
    """
    total = len(contents.metadata(data, split))
    chosen = set(np.random.default_rng(seed).permutation(total)[:limit].tolist())
    return [
        Sample(example["image_id"].decode(), example["image"], int(example["label"]))
        for index, example in enumerate(contents.examples(data, split).as_numpy_iterator())
        if index in chosen
    ]
