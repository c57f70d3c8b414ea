"""What is shown of an image to a classifier that must not read disease: its border, its rim, a tiny thumbnail.

Border and masked centre are those of an evaluation's controls (`images.masks`), in cells instead of pixels.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ctcov_tf.images import masks

GRID = 32  # cells a side of what a classifier sees
TINY = 16

NAMES = ("border", "masked_centre", "thumbnail")

_MASKS = {"border": masks.border_only, "masked_centre": masks.centre_masked}
_SHOWN_SIDE = 192  # pixels
_BLANK = 128


def shown(name: str) -> npt.NDArray[np.bool_]:
    """Which cells of the grid a view shows.

    Args:
      name: one of `NAMES`.

    Returns:
      (GRID, GRID); (TINY, TINY) for the thumbnail, which shows all.
    """
    if name == "thumbnail":
        return np.ones((TINY, TINY), bool)
    return _MASKS[name](np.ones((GRID, GRID), np.uint8)) != masks.HIDDEN


def features(name: str, thumbnails: npt.NDArray) -> npt.NDArray[np.uint8]:
    """Grey levels of the cells that a view shows.

    Args:
      name: one of `NAMES`.
      thumbnails: uint8 (n, side, side), the side a multiple of GRID.

    Returns:
      uint8 (n, cells): means over the pixels of each cell.
    """
    cells = shown(name)
    side = thumbnails.shape[1] // len(cells)
    blocks = thumbnails.reshape(-1, len(cells), side, len(cells), side)
    found = np.empty((len(thumbnails), np.count_nonzero(cells)), np.uint8)
    for number, block in enumerate(blocks):
        found[number] = np.round(block.mean(axis=(1, 3), dtype=np.float32))[cells]
    return found


def picture(name: str, thumbnail: npt.NDArray) -> npt.NDArray:
    """What a classifier sees, for readers: mid-grey where nothing is shown.

    Args:
      name: one of `NAMES`.
      thumbnail: uint8 (side, side).

    Returns:
      uint8, a square of cells large enough to look at.
    """
    cells = shown(name)
    drawn = np.full(cells.shape, _BLANK, np.uint8)
    drawn[cells] = features(name, thumbnail[np.newaxis])[0]
    return cv2.resize(drawn, (_SHOWN_SIDE, _SHOWN_SIDE), interpolation=cv2.INTER_NEAREST)
