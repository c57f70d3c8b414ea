"""Windows: which values of an image become which grey levels (DICOM PS3.3 C.11.2.1.2)."""

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

from ctcov_tf import errors

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclasses.dataclass(frozen=True)
class Window:
    """A range of values.

    Attributes:
      center: value that becomes middle grey, in the image's unit (of CT Hounsfield units).
      width: of the range that is spread over all grey levels, in the same unit.
    """

    center: float
    width: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and np.isfinite(self.width) and self.width > 0):
            raise errors.CtcovError(f"window {self.center:g} {self.width:g}: no centre and width above 0: {_REMEDY}")


LUNG_CENTER, LUNG_WIDTH = -600.0, 1500.0
_REMEDY = f"the lung window is {LUNG_CENTER:g} {LUNG_WIDTH:g}"
LUNG = Window(LUNG_CENTER, LUNG_WIDTH)
"""Lung window of chest CT: -1350 to 150 HU."""


def of(given: tuple[float, float] | None) -> Window:
    """The window that was asked for.

    Args:
      given: centre and width; that of the lung if None.

    Raises:
      CtcovError: there is no such window.
    """
    if given and given[1] < 1:
        raise errors.CtcovError(f"window {given[0]:g} {given[1]:g}: narrower than one Hounsfield unit: {_REMEDY}")
    return Window(*given) if given else LUNG


def grey(values: npt.NDArray, window: Window, function: Function = "LINEAR") -> npt.NDArray:
    """Spreads the values of a window over 256 grey levels.

    Args:
      values: any shape, in the window's unit.
      window: which values.
      function: the standard's VOI LUT function.

    Returns:
      uint8 of the same shape: 0 below the window, 255 above it.
    """
    values = np.asarray(values, np.float64)
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return _levels(1 / (1 + np.exp(-4 * (values - window.center) / window.width)))
    center, width = window.center, window.width
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return np.where(values > center, 255, 0).astype(np.uint8)
    return _levels(np.clip((values - center) / width + 0.5, 0, 1))


def spread(values: npt.NDArray, low: float, high: float) -> npt.NDArray:
    """Spreads values from `low`, which becomes 0, to `high`, which becomes 255.

    Args:
      values: any shape.
      low: what becomes black; all below does too.
      high: what becomes white; all above does too.

    Returns:
      uint8 of the same shape; 0 where there is no range.
    """
    values = np.asarray(values, np.float64)
    return _levels(np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values))


def _levels(share: npt.NDArray) -> npt.NDArray:
    return np.rint(255 * share).astype(np.uint8)
