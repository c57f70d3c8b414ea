"""Gaussian blur as graph code, equal to `cv2.GaussianBlur(image, (3, 3), 0)` bit for bit."""

import tensorflow as tf

from ctcov_tf.preprocessing import grey


def blur(images: tf.Tensor) -> tf.Tensor:
    """Blurs with the window 1 2 1 in each direction (sigma 0.8), mirrored about the border pixels.

    Args:
      images: float32 (batch, height, width, 1), whole grey levels in [0, 255]; height and width at least 2.

    Returns:
      float32 of the same shape, whole grey levels.
    """
    padded = tf.pad(tf.squeeze(images, axis=-1), [[0, 0], [1, 1], [1, 1]], "REFLECT")
    rows = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    sums = rows[:, :, :-2] + 2.0 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return grey.round_to_levels(sums / 16.0)[..., tf.newaxis]
