"""The input gate: how unlike an image is to those that the network was trained on, as graph code.

It measures distances from the training images in several spaces (`FEATURES`), each the length of a whitened vector, and
takes the largest. All are scaled so that 1 is the limit; an image above it is refused: it has no probability.
`calibration.gate` fits the arrays.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import pathlib
from typing import Any
import zipfile

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import errors, files
from ctcov_tf.model_info import OOD_LIMIT
from ctcov_tf.models import feature_maps

SCOPE = "gate"
"""Name of the layer and of the scope whose operators stay in float in every export."""

LAYOUT_CELLS = 16  # along a side, at least


@dataclasses.dataclass(frozen=True)
class Measure:
    """A distance in one space.

    Attributes:
      mean: (features,) float32, of the training images.
      whitening: (features, dimensions) float32: (x - mean) @ whitening is as long as x is unlike them.
    """

    mean: npt.NDArray
    whitening: npt.NDArray


@dataclasses.dataclass(frozen=True)
class Gate:
    """All arrays of a gate.

    Attributes:
      measures: by a name of `FEATURES`.
    """

    measures: Mapping[str, Measure]

    def save(self, path: pathlib.Path) -> str:
        """Writes the arrays.

        Args:
          path: the file, `.npz`; replaced once the new one is whole.

        Returns:
          SHA-256 of the file.
        """
        arrays: dict[str, Any] = {
            f"{name}.{field}": array
            for name, measure in self.measures.items()
            for field, array in (("mean", measure.mean), ("whitening", measure.whitening))
        }
        with files.atomic_path(path) as written:
            np.savez(written, allow_pickle=False, **arrays)
        return files.sha256(path)

    @classmethod
    def load(cls, path: pathlib.Path, sha256: str, remedy: str) -> "Gate":
        """Reads what `save` wrote.

        Args:
          path: the file.
          sha256: that it must have.
          remedy: what to do where it is missing or another.

        Raises:
          CtcovError: it is missing, damaged, or not the file that belongs to `sha256`.
        """
        if not path.is_file():
            raise errors.CtcovError(f"{path}: missing: {remedy}")
        if files.sha256(path) != sha256:
            raise errors.CtcovError(f"{path}: not the gate that calibration.json tells of: {remedy}")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                names = dict.fromkeys(key.rpartition(".")[0] for key in arrays)
                return cls({name: Measure(arrays[f"{name}.mean"], arrays[f"{name}.whitening"]) for name in names})
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise errors.CtcovError(f"{path}: damaged ({error}): {remedy}") from error


class InputGate:
    """A gate on a network.

    Attributes:
      output: symbolic tensor of the model's graph, (batch,) float32: the score.
      weights: the variables that it adds to those of the model.
    """

    def __init__(self, model: keras.Model, gate: Gate):
        """Puts the gate beside the network, for models over both.

        Args:
          model: functional model of one flat graph, from pre-processed images to logits.
          gate: fitted to this network, or to the one that it was rewritten from.
        """
        layer = _Distance(gate)
        self.output = layer([tensor_of(model, name) for name in gate.measures])
        self.weights = layer.weights


def on(model: keras.Model, gate: Gate | None) -> InputGate | None:
    """Puts a run's gate on its network.

    Args:
      model: functional model of one flat graph, from pre-processed images to logits.
      gate: what the run holds.

    Returns:
      The gate on the network; None where the run has none.
    """
    return InputGate(model, gate) if gate else None


def tensor_of(model: keras.Model, name: str) -> keras.KerasTensor:
    """The symbolic tensor that a space of `FEATURES` is made of.

    Args:
      model: functional model of one flat graph.
      name: the space.
    """
    return _TENSORS[name](model)


def features(name: str, tensor: tf.Tensor) -> tf.Tensor:
    """Coordinates in a space.

    Args:
      name: one of `FEATURES`.
      tensor: value of `tensor_of`.

    Returns:
      (batch, features) float32.
    """
    return _COORDINATES[name](tf.cast(tensor, tf.float32))


def refuse(answers: Mapping[str, tf.Tensor], score: tf.Tensor) -> dict[str, tf.Tensor]:
    """Takes the answer away from images above the limit.

    Args:
      answers: outputs by name, first axis the images: floats, and names of findings.
      score: (batch,) float32, the gate's.

    Returns:
      The same, where an image is refused not a number, 0 in a heat map and empty in a name; beside them
      `in_distribution` bool (batch,) and `ood_score` float32 (batch,).
    """
    with tf.name_scope(SCOPE):
        passes = score <= OOD_LIMIT  # a score that is no number does not pass
        kept = {name: _where(passes, name, values) for name, values in answers.items()}
        return kept | {"in_distribution": tf.identity(passes), "ood_score": tf.identity(score)}


def _where(passes: tf.Tensor, name: str, values: tf.Tensor) -> tf.Tensor:
    shaped = tf.reshape(passes, [-1] + [1] * (len(values.shape) - 1))
    if values.dtype == tf.string:
        return tf.where(shaped, values, "")
    return tf.where(shaped, values, 0.0 if name.startswith("heatmap") else np.float32(np.nan))


class _Distance(keras.layers.Layer):
    """Largest of the distances, from the tensors of their spaces; always float32."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(name=SCOPE, dtype="float32")
        self._gate = gate

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        self._arrays = []
        for name, measure in self._gate.measures.items():
            arrays = []
            for field, array in (("mean", measure.mean), ("whitening", measure.whitening)):
                initial = keras.initializers.Constant(array)
                arrays.append(self.add_weight(array.shape, initial, trainable=False, name=f"{name}_{field}"))
            self._arrays.append(arrays)

    def call(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        distances = []
        for name, tensor, (mean, whitening) in zip(self._gate.measures, tensors, self._arrays, strict=True):
            centred = features(name, tensor) - mean
            # no product of matrices: TFLite would compute that in 8 bits in files of dynamic range
            whitened = tf.reduce_sum(centred[:, :, tf.newaxis] * whitening, axis=1)
            distances.append(tf.sqrt(tf.reduce_sum(tf.square(whitened), axis=1)))
        return tf.reduce_max(tf.stack(distances, axis=1), axis=1)

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return (shapes[0][0],)


def _texture(maps: tf.Tensor) -> tf.Tensor:
    """Mean of each channel, scaled to a length of 1: contrast plays no part."""
    return tf.math.l2_normalize(tf.reduce_mean(maps, axis=(1, 2)), axis=1)


def _layout(images: tf.Tensor) -> tf.Tensor:
    """Mean grey of each cell of a grid over the pre-processed image."""
    cell = max(1, images.shape[1] // LAYOUT_CELLS)
    cells = tf.nn.avg_pool2d(images[..., :1], cell, cell, "VALID")
    return tf.reshape(cells, [-1, cells.shape[1] * cells.shape[2]])


_TENSORS: dict[str, Callable[[keras.Model], keras.KerasTensor]] = {
    "texture": lambda model: feature_maps.first_rectified(model).output,
    "layout": lambda model: model.input,
}

_COORDINATES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {"texture": _texture, "layout": _layout}

FEATURES = tuple(_TENSORS)
"""Spaces: how strongly each filter of the first layer answers, in proportion; a coarse grid over the image."""
