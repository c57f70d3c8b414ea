"""Random rotation, translation, mirroring and cropping of training images as one affine warp (section 4.1); contrast.

No TensorFlow.
"""

from collections.abc import Sequence
import math

import cv2
import numpy as np
import numpy.typing as npt

from ctcov_tf.config import AugmentConfig

RIGID_DRAWS = 4
"""Random numbers that one image takes for rotation, translation and mirroring."""
DRAWS = RIGID_DRAWS + 4
"""All random numbers that moving an image takes, those of the crop last."""
LEVEL_DRAWS = 2
"""Random numbers that one image takes for contrast and brightness."""
CROP_ASPECT = 4 / 3
"""Most that a crop may be wider, or higher, in proportion than its image (arXiv 1409.4842)."""


def augment(image: npt.NDArray, draws: npt.NDArray, config: AugmentConfig) -> npt.NDArray:
    """Moves an image by random numbers; the same numbers move it the same way.

    Args:
      image: uint8 (height, width).
      draws: (DRAWS,) uniform in [-1, 1): rotation, shift to the right, shift down, mirroring; area, proportions and
        place of the crop, across and down.
      config: ranges of the rotation and translation, whether to mirror, and the smallest crop.

    Returns:
      uint8 of the same shape; what comes from beyond the border is black.
    """
    height, width = image.shape
    angle, right, down, coin, *cropping = draws.tolist()
    matrix = rigid_transform(
        height,
        width,
        angle=angle * math.radians(config.rotation_degrees),
        right=right * config.translation * width,
        down=down * config.translation * height,
        mirror=config.flip and coin > 0.0,
    )
    if config.crop < 1.0:
        matrix = matrix @ np.vstack([crop_transform(height, width, cropping, config.crop), [0.0, 0.0, 1.0]])
    return warp(image, matrix)


def change_levels(image: npt.NDArray, draws: npt.NDArray, config: AugmentConfig) -> None:
    """Changes contrast and brightness of an image by random numbers.

    Args:
      image: float32, pre-processed, written to: equalisation and standardisation would undo it before them.
      draws: (LEVEL_DRAWS,) uniform in [-1, 1): contrast, brightness.
      config: ranges of both.
    """
    contrast, brightness = draws.tolist()
    image *= np.float32(1 + contrast * config.contrast)
    image += np.float32(brightness * config.brightness)


def crop_transform(height: int, width: int, draws: Sequence[float], smallest: float) -> npt.NDArray[np.float64]:
    """The map from pixels of the result to pixels of the image: a random rectangle, enlarged to the image's size.

    The outermost pixels of the result are read at the rectangle's edge, nothing beyond the image's.

    Args:
      height: of the image, pixels.
      width: of the image, pixels.
      draws: four numbers in [-1, 1): area, proportions, place across, place down.
      smallest: least share of the area, in (0, 1]; a side is never longer than the image's.

    Returns:
      (2, 3), as `rigid_transform` gives it; without rotation.
    """
    area, proportions, across, down = draws
    share = smallest + (1 - smallest) * (area + 1) / 2
    aspect = CROP_ASPECT**proportions
    x_scale, y_scale = min(1.0, math.sqrt(share * aspect)), min(1.0, math.sqrt(share / aspect))
    left, top = (1 - x_scale) * (width - 1) * (across + 1) / 2, (1 - y_scale) * (height - 1) * (down + 1) / 2
    return np.array([[x_scale, 0.0, left], [0.0, y_scale, top]])


def rigid_transform(
    height: int, width: int, *, angle: float, right: float, down: float, mirror: bool
) -> npt.NDArray[np.float64]:
    """The map from pixels of the result to pixels of the image: a rotation about the centre, moved, mirrored.

    Args:
      height: of the image, pixels.
      width: of the image, pixels.
      angle: radians.
      right: shift of where the result is read, pixels.
      down: shift of where the result is read, pixels.
      mirror: swap left and right.

    Returns:
      (2, 3): pixel (x, y) of the result is read at this matrix times (x, y, 1).
    """
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    cosine, sine = math.cos(angle), math.sin(angle)
    sign = -1 if mirror else 1
    x_by_x, x_by_y, y_by_x, y_by_y = cosine * sign, -sine, sine * sign, cosine
    x_shift = centre_x - (x_by_x * centre_x + x_by_y * centre_y) + right
    y_shift = centre_y - (y_by_x * centre_x + y_by_y * centre_y) + down
    return np.array([[x_by_x, x_by_y, x_shift], [y_by_x, y_by_y, y_shift]])


def warp(image: npt.NDArray, matrix: npt.NDArray) -> npt.NDArray:
    """Reads an image through a map, bilinearly.

    Args:
      image: uint8 (height, width).
      matrix: (2, 3), from pixels of the result to pixels of the image: OpenCV's WARP_INVERSE_MAP.

    Returns:
      uint8 of the same shape; black beyond the border.
    """
    height, width = image.shape
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
