"""Heat map over image; no TensorFlow."""

import cv2
import numpy as np


def overlay(image: np.ndarray, heatmap: np.ndarray, alpha: float = 0.4) -> np.ndarray:
    """Lays a heat map over the image it explains: blue where it is 0, red where it is 1 (Fig. 6).

    Args:
      image: uint8 (height, width) grey or (height, width, 3) RGB.
      heatmap: float (any height, any width) in [0, 1]; stretched bilinearly over the image.
      alpha: weight of the heat map's colours in [0, 1].

    Returns:
      uint8 (height, width, 3), red first.
    """
    height, width = image.shape[:2]
    rgb = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    stretched = cv2.resize(heatmap.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    levels = np.rint(255 * np.clip(stretched, 0, 1)).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    return cv2.addWeighted(rgb, 1 - alpha, colours, alpha, 0)
