"""Images as the input gate sees them: coordinates in each of its spaces."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import input_pipeline
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation.predictions import BATCH_SIZE
from ctcov_tf.images.preprocess import preprocess_all
from ctcov_tf.models import input_gate
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory


def of_split(run: RunDirectory, split: str, model: keras.Model) -> dict[str, npt.NDArray]:
    """Coordinates of every image of a split, not augmented.

    Args:
      run: the run.
      split: `train`, `validation` or `test`.
      model: its network.

    Returns:
      (images, features) float32 by space, in dataset order.
    """
    batches = input_pipeline.evaluation_batches(run.config, run.labels, split, batch_size=BATCH_SIZE)
    total = len(contents.metadata(run.config.data, split))
    return _of_batches((images for images, _ in batches), total, model, f"gate {split}")


def of_images(run: RunDirectory, grey: Sequence[npt.NDArray], model: keras.Model, title: str) -> dict[str, npt.NDArray]:
    """Coordinates of images from anywhere.

    Args:
      run: the run.
      grey: uint8 (h, w) each.
      model: its network.
      title: of the progress bar.

    Returns:
      (images, features) float32 by space.
    """
    batches = (
        preprocess_all(grey[start : start + BATCH_SIZE], run.config.preprocess)
        for start in range(0, len(grey), BATCH_SIZE)
    )
    return _of_batches(batches, len(grey), model, title)


def _of_batches(batches: Iterable, total: int, model: keras.Model, title: str) -> dict[str, npt.NDArray]:
    tensors = {name: input_gate.tensor_of(model, name) for name in input_gate.FEATURES}
    network = keras.Model(model.input, tensors)

    @tf.function(reduce_retracing=True)
    def coordinates(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: input_gate.features(name, value) for name, value in network(images, training=False).items()}

    found: dict[str, list[npt.NDArray]] = {name: [] for name in tensors}
    with Bar(total=total, desc=title, unit="image") as bar:
        for images in batches:
            for name, values in coordinates(images).items():
                found[name].append(values.numpy())
            bar.update(len(images))
    return {name: np.concatenate(parts) if parts else np.zeros((0, 1), np.float32) for name, parts in found.items()}
