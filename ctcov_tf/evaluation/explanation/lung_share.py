"""How much of a heat map lies in the lungs, beside what a uniform map would have there: their share of the image."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ctcov_tf import modality
from ctcov_tf.evaluation.summary import mean
from ctcov_tf.images.lungs import lung_mask


def find_lungs(grey: Sequence[npt.NDArray], side: int) -> list[npt.NDArray | None]:
    """Lung masks of images as the network sees them.

    Args:
      grey: uint8 (height, width) each, as they are stored.
      side: of the square image that the network sees, pixels.

    Returns:
      bool (side, side) each; None where no plausible lungs are found.
    """
    masks = map(lung_mask, grey)
    return [mask if mask is None else _resized(mask, side) for mask in masks]


def check(
    heatmaps: npt.NDArray, masks: Sequence[npt.NDArray | None], groups: Sequence[str], dataset: str
) -> dict[str, Any]:
    """Share of the maps' mass inside the lungs.

    Args:
      heatmaps: (n, h, w), none of them zero everywhere.
      masks: what `find_lungs` gave.
      groups: each image's group, for the intervals.
      dataset: name of the images' dataset.

    Returns:
      `images` and `groups` that count, `without_lungs` (images where none were found), `share`, `area` (of the lungs,
      over the image's) and `difference` of the two, paired by image; each `value`, `low`, `high`. `left_out`, the
      reason, where no image counts or the dataset is none of CT slices.
    """
    if modality.of_dataset(dataset) != "CT":
        return {"left_out": f"lungs are sought in CT slices only, and {dataset} is not known to hold such"}
    counted = [index for index, mask in enumerate(masks) if mask is not None]
    if not counted:
        return {"left_out": f"no plausible lungs were found in any of {len(masks)} images"}
    found = [mask for mask in masks if mask is not None]
    shares = np.array([inside(heatmaps[index], mask) for index, mask in zip(counted, found, strict=True)])
    areas = np.array([mask.mean() for mask in found])
    kept = [groups[index] for index in counted]
    return {
        "images": len(counted),
        "groups": len(set(kept)),
        "without_lungs": len(masks) - len(counted),
        "share": mean(shares, kept),
        "area": mean(areas, kept),
        "difference": mean(shares - areas, kept),
    }


def inside(heatmap: npt.NDArray, mask: npt.NDArray) -> float:
    """Share of a heat map, stretched bilinearly over the image, that lies in a mask, bool (side, side)."""
    stretched = cv2.resize(heatmap, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return float(stretched[mask].sum() / stretched.sum())


def _resized(mask: npt.NDArray, side: int) -> npt.NDArray:
    return cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST_EXACT) > 0
