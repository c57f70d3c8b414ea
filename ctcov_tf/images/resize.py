"""Bilinear resize of 8-bit images by OpenCV's whole-number arithmetic; no TensorFlow.

`ctcov_tf.preprocessing.resize` is the same rule as graph code, bit for bit.
"""

import cv2
import numpy.typing as npt

WEIGHT_LEVELS = 256
"""Weights are whole numbers of 1/256, halves rounded up."""

_ABOVE_ONE = 1 + 1e-12  # as a factor of the ratio: more than a double's rounding, less than what changes a weight


def resize(image: npt.NDArray, size: int) -> npt.NDArray:
    """Resizes to a square, without antialiasing, pixel centres at halves: OpenCV's INTER_LINEAR_EXACT.

    A weight that falls halfway between two whole numbers is decided in OpenCV by the last bit of a double. The
    ratio is therefore given a hair too large, so that halves go up, as whole-number arithmetic can repeat. Half the
    image's size has no such weights, and OpenCV a faster way.

    Args:
      image: uint8 (height, width).
      size: side of the result, pixels.

    Returns:
      uint8 (size, size).
    """
    height, width = image.shape
    if height == width == 2 * size:
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR_EXACT)
    down, right = size / height / _ABOVE_ONE, size / width / _ABOVE_ONE
    return cv2.resize(image, None, fx=right, fy=down, interpolation=cv2.INTER_LINEAR_EXACT)
