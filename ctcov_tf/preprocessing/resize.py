"""Bilinear resize to grey levels as graph code: the rule of `ctcov_tf.images.resize`, bit for bit."""

import tensorflow as tf

from ctcov_tf.images.resize import WEIGHT_LEVELS


def resize(images: tf.Tensor, image_size: int) -> tf.Tensor:
    """Resizes to a square, without antialiasing, pixel centres at halves: OpenCV's INTER_LINEAR_EXACT.

    A float interpolation differs in its last bit between TensorFlow and LiteRT; where that decides the rounding, a
    pixel differs by a whole level and a score in its third place. So the interpolation is done in whole numbers:
    every product and sum below is one that float32 holds exactly (less than 2 ** 24), whatever the order.

    Args:
      images: float32 (batch, height, width, 1), whole grey levels in [0, 255]; sides of at most 4 million pixels.
      image_size: side of the result, pixels.

    Returns:
      float32 (batch, image_size, image_size, 1), whole grey levels in [0, 255].
    """
    rows = _interpolate(tf.squeeze(images, axis=-1), image_size)
    columns = _interpolate(tf.transpose(rows, [0, 2, 1]), image_size)
    levels = tf.floor(columns / WEIGHT_LEVELS**2 + 0.5)
    return tf.transpose(levels, [0, 2, 1])[..., tf.newaxis]


def _interpolate(images: tf.Tensor, size: int) -> tf.Tensor:
    """(batch, n, m) to (batch, size, m) by whole numbers: `WEIGHT_LEVELS` times the interpolated values."""
    length = tf.shape(images)[1]
    # the centre of pixel i lies at ((2 i + 1) length - size) / (2 size)
    numerator = tf.maximum((2 * tf.range(size) + 1) * length - size, 0)
    near = numerator // (2 * size)
    weight = ((numerator - near * 2 * size) * WEIGHT_LEVELS + size) // (2 * size)
    far = tf.minimum(near + 1, length - 1)
    far_weight = tf.cast(weight, tf.float32)[:, tf.newaxis]
    return tf.gather(images, near, axis=1) * (WEIGHT_LEVELS - far_weight) + tf.gather(images, far, axis=1) * far_weight
