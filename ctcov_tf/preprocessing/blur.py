"""Gaussian blur as graph code, equal to `cv2.GaussianBlur(image, (3, 3), 0)` bit for bit."""

import tensorflow as tf

from ctcov_tf.preprocessing import grey


def blur(images: tf.Tensor) -> tf.Tensor:
    """Blurs with the window 1 2 1 in each direction (sigma 0.8), mirrored about the border pixels.

    Args:
      images: float32 (batch, height, width, 1), whole grey levels in [0, 255]; static height and width.

    Returns:
      float32 of the same shape, whole grey levels.
    """
    sums = _window_sum(_window_sum(images, axis=1), axis=2)
    return grey.round_to_levels(sums / 16.0)


def _window_sum(images: tf.Tensor, axis: int) -> tf.Tensor:
    """Twice each pixel plus its two neighbours along `axis`: adding neighbours, twice over."""
    padding = [[0, 0]] * 4
    padding[axis] = [1, 1]
    mode = "REFLECT" if images.shape[axis] > 1 else "SYMMETRIC"  # a single pixel is its own neighbour
    padded = tf.pad(images, padding, mode)
    return _add_neighbours(_add_neighbours(padded, axis), axis)


def _add_neighbours(images: tf.Tensor, axis: int) -> tf.Tensor:
    without_last, without_first = [slice(None)] * 4, [slice(None)] * 4
    without_last[axis], without_first[axis] = slice(None, -1), slice(1, None)
    return images[tuple(without_last)] + images[tuple(without_first)]
