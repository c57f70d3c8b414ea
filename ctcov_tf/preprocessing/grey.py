"""Grey levels of 8-bit images as graph code."""

import tensorflow as tf

from ctcov_tf.images import decode


def to_grey(rgb: tf.Tensor) -> tf.Tensor:
    """Luma by the rule of `images.decode.to_grey`, bit for bit.

    Args:
      rgb: float32 (..., 3), grey levels in [0, 255].

    Returns:
      float32 (..., 1), grey levels in [0, 255].
    """
    red, green, blue = tf.split(rgb, 3, axis=-1)
    weighted = sum(weight * channel for weight, channel in zip(decode.LUMA, (red, green, blue), strict=True))
    return tf.floor((weighted + 8192.0) / 16384.0)  # exact: below 2 ** 24 throughout


def round_to_levels(image: tf.Tensor) -> tf.Tensor:
    """Rounds half up to whole grey levels, as OpenCV's fixed point does; `tf.round` would round half to even."""
    return tf.floor(image + 0.5)
