"""What is left of an image when its lungs are hidden, for the controls of an evaluation and for the audit.

What is hidden becomes black, grey level 0. A mean grey would tell how bright the hidden part was; black tells nothing
of it, and histogram equalisation leaves the darkest level out of account.
"""

import numpy as np
import numpy.typing as npt

BORDER = 1 / 16
"""Share of height and width that `border_only` keeps on each side."""

OUTER = 1 / 8
"""Share of height and width that `centre_masked` keeps on each side."""

HIDDEN = 0
"""Grey level of what is hidden."""


def border_only(image: npt.NDArray) -> npt.NDArray:
    """Keeps a rim of 1/16 on each side: 23 % of the area, where tags, rulers and file edges are, and few lungs.

    Args:
      image: uint8 (height, width).

    Returns:
      uint8 of the same shape.
    """
    return _hide_centre(image, BORDER)


def centre_masked(image: npt.NDArray) -> npt.NDArray:
    """Keeps 1/8 on each side, 44 % of the area: the centre, with most of the lungs, is hidden.

    Args:
      image: uint8 (height, width).

    Returns:
      uint8 of the same shape.
    """
    return _hide_centre(image, OUTER)


def _hide_centre(image: npt.NDArray, share: float) -> npt.NDArray:
    hidden = np.array(image)
    rows, columns = (max(1, round(share * side)) for side in image.shape)
    hidden[rows:-rows, columns:-columns] = HIDDEN
    return hidden
