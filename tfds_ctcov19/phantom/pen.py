"""Lines, areas and dots in body coordinates, drawn into a layer of a synthetic chest radiograph.

A point is a complex number, x + i y: turning, scaling and shifting it is one product and one sum.
"""

import cv2
import numpy as np

from tfds_ctcov19.phantom import body, shapes


class Layer:
    """An empty layer over a picture.

    Attributes:
      share: uint8 (size, size), 0 where nothing was drawn, 255 where the pen covers the whole pixel.
    """

    def __init__(self, view: body.View, size: int) -> None:
        self.share = np.zeros((size, size), np.uint8)
        self._unit = view.half_width * size  # pixels a body unit
        self._turn = self._unit * np.exp(1j * np.radians(view.rotation))
        self._origin = size * complex(view.right + 0.5, view.down + 0.5)

    def line(self, points: np.ndarray, width: float) -> None:
        """Draws a line through points, complex (n,); one thinner than a pixel is fainter."""
        self._polyline(points, width * self._unit, 255)

    def tube(self, points: np.ndarray, width: float) -> None:
        """Draws a hollow bone: its rim, where the ray runs along the cortex, is denser than its middle."""
        thick = width * self._unit
        self._polyline(points, thick, 255)
        if thick >= 4:
            self._polyline(points, thick - 2, 165)

    def area(self, corners: np.ndarray, level: int = 255) -> None:
        """Fills a polygon with complex corners, (n,)."""
        cv2.fillPoly(self.share, [self._pixels(corners)], level, cv2.LINE_AA, 4)

    def dot(self, centre: complex, radius: float, level: int = 255) -> None:
        """Draws a disc of that radius in body units."""
        place = self._pixels(np.array([centre]))[0].tolist()
        cv2.circle(self.share, place, max(8, round(radius * self._unit * 16)), level, -1, cv2.LINE_AA, 4)

    def add_to(self, density: np.ndarray, value: float, within: np.ndarray | float = 1.0, blur: float = 0.0) -> None:
        """Adds the layer to a picture in place.

        Args:
          density: float32 (size, size).
          value: what a covered pixel gains.
          within: share of each pixel that may change.
          blur: deviation of a Gaussian in body units, 0 for none.
        """
        share = cv2.GaussianBlur(self.share, (0, 0), max(blur * self._unit, 0.3)) if blur else self.share
        density += share * np.float32(value / 255) * within

    def _polyline(self, points: np.ndarray, thick: float, level: int) -> None:
        level = int(level * min(1, max(thick, 0.4)))
        cv2.polylines(self.share, [self._pixels(points)], False, level, max(1, round(thick)), cv2.LINE_AA, 4)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        return shapes.fixed_point(points * self._turn + self._origin)
