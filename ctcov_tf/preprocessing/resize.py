"""Bilinear resize to grey levels as graph code, within one level of `cv2.resize`."""

import tensorflow as tf

from ctcov_tf.preprocessing import grey


def resize(images: tf.Tensor, image_size: int) -> tf.Tensor:
    """Resizes to a square, without antialiasing, pixel centres at halves: OpenCV's INTER_LINEAR.

    OpenCV's 8-bit resize works in fixed point of 11 bits, hence the difference of up to one level.

    Args:
      images: float32 (batch, height, width, 1), grey levels in [0, 255].
      image_size: side of the result, pixels.

    Returns:
      float32 (batch, image_size, image_size, 1), whole grey levels in [0, 255].
    """
    return grey.round_to_levels(tf.image.resize(images, [image_size, image_size], method="bilinear"))
