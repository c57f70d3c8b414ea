"""Perceptual hashes: images that show the same have hashes that differ in few bits.

A bit is the sign of one coefficient of the discrete cosine transform of a small picture, held against the median of
that coefficient over the whole collection. Chest images all look alike; with a threshold of their own each bit still
parts the collection into halves, and two different images differ in about half of the bits.
"""

import itertools

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 32  # of the picture that is transformed, pixels
WAVES = 12  # lowest frequencies in each direction
BITS = WAVES * WAVES - 1  # the mean is left out

KEPT = ((0.0, 1.0), (0.0, 0.9), (0.1, 1.0), (0.05, 0.95))
"""What a crop may have kept of a side: from, to, as shares of it."""

BLOCK = 1024
"""Images that are held against all others at once."""

WINDOWS = tuple(itertools.product(KEPT, KEPT))
"""Crops that are looked for: rows kept, columns kept; the first is the whole image."""

_MIRROR = np.where(np.arange(WAVES) % 2, -1.0, 1.0).astype(np.float32)  # of a transform whose picture is mirrored


def transform(thumbnails: npt.NDArray, window: tuple[tuple[float, float], tuple[float, float]]) -> npt.NDArray:
    """Low frequencies of a window of every thumbnail.

    Args:
      thumbnails: uint8 (n, side, side).
      window: one of `WINDOWS`.

    Returns:
      float32 (n, WAVES, WAVES), vertical frequency first.
    """
    side = thumbnails.shape[1]
    rows, columns = (slice(round(low * side), round(high * side)) for low, high in window)
    found = np.empty((len(thumbnails), WAVES, WAVES), np.float32)
    for number, thumbnail in enumerate(thumbnails):
        small = cv2.resize(thumbnail[rows, columns], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        found[number] = cv2.dct(small.astype(np.float32))[:WAVES, :WAVES]
    return found


def mirror(transforms: npt.NDArray) -> npt.NDArray:
    """The transforms of the same pictures, left and right exchanged."""
    return transforms * _MIRROR


def bits(transforms: npt.NDArray, medians: npt.NDArray) -> npt.NDArray:
    """Hashes.

    Args:
      transforms: what `transform` gave.
      medians: (WAVES, WAVES), of the collection's whole images.

    Returns:
      float32 (n, BITS), 1 and -1: the product of two hashes is BITS less twice the bits in which they differ.
    """
    signs = np.where(transforms > medians, np.float32(1), np.float32(-1))
    return signs.reshape(len(signs), -1)[:, 1:]


def close_pairs(
    first: npt.NDArray, second: npt.NDArray, start: int, most: int
) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """Pairs whose hashes differ in few bits, of a block of images and all others.

    Args:
      first: hashes, of which `BLOCK` from `start` on are taken.
      second: hashes to hold them against.
      start: row of `first`.
      most: bits in which a pair may differ.

    Returns:
      Rows of `first`, rows of `second`, and the bits in which they differ.
    """
    product = first[start : start + BLOCK] @ second.T
    rows, columns = np.nonzero(product >= BITS - 2 * most)
    return rows + start, columns, ((BITS - product[rows, columns]) / 2).astype(np.int16)
