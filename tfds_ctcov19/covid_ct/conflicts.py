"""Pictures that stand in both classes of COVID-CT, found by what they show and not by their names."""

from collections.abc import Sequence
import io

import numpy as np
import PIL.Image

from tfds_ctcov19.records import Record

THUMBNAIL = 32  # pixels
SAME_PICTURE = 0.95  # correlation of thumbnails; in COVID-CT the two real pairs have 0.99 and 0.98, the next pair 0.85


def find_conflicts(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Finds pairs of the same picture, whatever their size, mode and format.

    Args:
      first: images of one class.
      second: images of the other.

    Returns:
      Pairs (of `first`, of `second`) whose grey thumbnails correlate by at least `SAME_PICTURE`.
    """
    if not first or not second:
        return []
    correlation = np.stack([_thumbnail(r) for r in first]) @ np.stack([_thumbnail(r) for r in second]).T
    return [(first[i], second[j]) for i, j in np.argwhere(correlation >= SAME_PICTURE)]


def _thumbnail(record: Record) -> np.ndarray:
    """Thumbnail of mean 0 and length 1, float64 (THUMBNAIL ** 2,)."""
    with PIL.Image.open(io.BytesIO(record.path.read_bytes())) as image:
        grey = image.convert("RGB").convert("L").resize((THUMBNAIL, THUMBNAIL), PIL.Image.Resampling.BOX)
    pixels = np.asarray(grey, float).ravel()
    pixels -= pixels.mean()
    return pixels / max(float(np.linalg.norm(pixels)), 1e-9)
