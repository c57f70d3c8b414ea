"""Carrying weights from one model to another of the same form, also across image sizes."""

import math

import keras
import numpy as np
import tensorflow as tf


def transfer_weights(source: keras.Model, target: keras.Model) -> list[str]:
    """Copies every variable whose path and shape both models share.

    The dense layer over a flattened map has a weight for each position, so that its shape depends on
    the image size. Where the two models differ in that alone, its weights are resized as if they were
    a map (bilinear) and scaled by the ratio of the numbers of positions: what a layer answers to a
    smooth map stays about the same.

    Args:
      source: the model to copy from.
      target: the model to copy into.

    Returns:
      Paths of the target's variables that were left as they are.
    """
    values = {variable.path: variable for variable in source.weights}
    left_alone = []
    for variable in target.weights:
        value = values.get(variable.path)
        if value is not None and value.shape != variable.shape:
            value = _resized(value, variable, _flattened_map(source), _flattened_map(target))
        if value is None:
            left_alone.append(variable.path)
        else:
            variable.assign(value)
    return left_alone


def _flattened_map(model: keras.Model) -> tuple[int, int, int] | None:
    """Height, width and channels of the map that the model flattens."""
    flattened = [layer.input.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.Flatten)]
    return flattened[0] if len(flattened) == 1 and len(flattened[0]) == 3 else None


def _resized(
    value: keras.Variable,
    variable: keras.Variable,
    source_map: tuple[int, int, int] | None,
    target_map: tuple[int, int, int] | None,
) -> np.ndarray | None:
    """The kernel over the target's map, or None if the variables are no such kernels."""
    if source_map is None or target_map is None or source_map[-1] != target_map[-1]:
        return None
    if value.shape[0] != math.prod(source_map) or variable.shape != (math.prod(target_map), *value.shape[1:]):
        return None
    units = value.shape[1]
    maps = tf.reshape(tf.convert_to_tensor(value), (*source_map, units))
    maps = tf.reshape(maps, (1, *source_map[:2], source_map[2] * units))
    resized = tf.image.resize(maps, target_map[:2], method="bilinear")
    scale = math.prod(source_map[:2]) / math.prod(target_map[:2])
    return tf.reshape(resized * scale, variable.shape).numpy()
