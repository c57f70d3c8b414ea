"""The same picture twice: in two classes, in two parts, under two patients.

Hashes propose pairs: of whole images, of crops of one and the whole other, both also mirrored. Then one image is laid
over the other, and the correlation of their details decides. Details are what is left without low frequencies, its
contrast made even: two chests correlate by their outline and their frame, and only the same picture agrees all over.
"""

from collections.abc import Iterator
import concurrent.futures
import dataclasses
import os
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf.audit import hashes
from ctcov_tf.audit.scan import SIDE, Scan
from ctcov_tf.progress import Bar

MOST_BITS = 32
"""Bits of `hashes.BITS` in which a pair may differ to be laid one over the other."""

MOST_CANDIDATES = 50_000
"""Pairs that are laid one over the other at most; where more are close, fewer bits may differ."""

SAME = 0.85
"""Correlation of details at and above which two pictures are the same."""

FITTED = 64
"""Side of the pictures by which the fit is found, pixels."""

FINE, COARSE, EVEN = 0.8, 2.5, 4.0
"""Standard deviations of blurs, pixels of a thumbnail: details lie between the first two, the third is the
neighbourhood over which their contrast is made even."""

_LEAST_OVERLAP = 0.5  # share of the thumbnail
_LEAST_CONTRAST = 2.0  # grey levels; fainter details are not made stronger
_SMOOTHED = 3  # window of the blur before a fit, pixels
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images that show the same picture.

    Attributes:
      first: row of the one.
      second: row of the other.
      correlation: of their details, 1 for the same file.
      how: `same file`, `same picture`, `crop`, `mirrored` or `mirrored crop`.
    """

    first: int
    second: int
    correlation: float
    how: str


@dataclasses.dataclass(frozen=True)
class Found:
    """What the search found.

    Attributes:
      pairs: the same picture twice, in two classes, two parts or two groups; the surest first.
      repeated_files: images whose file stands once more in the same class, part and group.
      examined: pairs that were laid one over the other.
      most_bits: in which their hashes may differ: `MOST_BITS`, or less where too many images are alike.
    """

    pairs: list[Pair]
    repeated_files: int
    examined: int
    most_bits: int


def find(seen: Scan) -> Found:
    """Looks for the same picture in two classes, two parts or two groups.

    Images without a group, of one class and part, are held against each other only by their bytes: slices of one
    series are too much alike to tell a repetition from a neighbour.

    Args:
      seen: the images.
    """
    place = _place(seen.table)
    identical = _identical_files(seen.table)
    apart = {pair for pair in identical if place[pair[0]] != place[pair[1]]}
    pairs = [Pair(*pair, 1.0, "same file") for pair in sorted(apart)]
    candidates, most_bits = _candidates(seen.thumbnails, place)
    candidates = candidates[~candidates.set_index(["first", "second"]).index.isin(list(apart))]
    pairs += [pair for pair in _examine(seen.thumbnails, candidates) if pair.correlation >= SAME]
    return Found(
        sorted(pairs, key=lambda pair: -pair.correlation),
        len({second for _, second in identical} - {second for _, second in apart}),
        len(candidates),
        most_bits,
    )


def _place(table: pd.DataFrame) -> npt.NDArray:
    """A number for each class, part and group; pairs within one are of no concern."""
    return table.groupby(["split", "label", "group"], sort=False).ngroup().to_numpy()


def _identical_files(table: pd.DataFrame) -> list[tuple[int, int]]:
    """Every pair of rows with the same bytes, of several only those with the first."""
    by_content = table.groupby("sha256", sort=False).indices
    return [(int(rows[0]), int(row)) for rows in by_content.values() for row in rows[1:]]


def _candidates(thumbnails: npt.NDArray, place: npt.NDArray) -> tuple[pd.DataFrame, int]:
    """Pairs of close hashes in two places, and the bits in which they may differ.

    Returns:
      One row a pair: `first`, `second`, `bits`, and the `window` and `mirrored` of the first; the bits.
    """
    whole = hashes.transform(thumbnails, hashes.WINDOWS[0])
    medians = np.median(whole, axis=0)
    target = hashes.bits(whole, medians)
    closest = _Closest()
    for number, window in enumerate(Bar(hashes.WINDOWS, desc="compare hashes", unit="crop")):
        plain = whole if number == 0 else hashes.transform(thumbnails, window)
        for mirrored, transforms in enumerate((plain, hashes.mirror(plain))):
            own = hashes.bits(transforms, medians)
            for start in range(0, len(own), hashes.BLOCK):
                first, second, bits = hashes.close_pairs(own, target, start, closest.most_bits)
                kept = (place[first] != place[second]) & ((first < second) | (number > 0))
                closest.add(first[kept], second[kept], bits[kept], number, mirrored)
    return closest.table(), closest.most_bits


class _Closest:
    """Collects pairs; where there are too many, fewer bits may differ from then on."""

    def __init__(self) -> None:
        self.most_bits = MOST_BITS
        self._tables = [pd.DataFrame(columns=["first", "second", "bits", "window", "mirrored"], dtype=np.int32)]
        self._rows = 0

    def add(self, first: npt.NDArray, second: npt.NDArray, bits: npt.NDArray, window: int, mirrored: int) -> None:
        found = pd.DataFrame({"first": first, "second": second, "bits": bits, "window": window, "mirrored": mirrored})
        self._tables.append(found.astype(np.int32))
        self._rows += len(found)
        if self._rows > 2 * MOST_CANDIDATES:
            self._tables = [self.table()]
            self._rows = len(self._tables[0])

    def table(self) -> pd.DataFrame:
        """Every pair once, by its closest hashes."""
        found = pd.concat(self._tables, ignore_index=True)
        found = found[found["bits"] <= self.most_bits].sort_values(["bits", "window", "mirrored"], kind="stable")
        ends = np.sort(found[["first", "second"]].to_numpy(np.int64), axis=1)
        _, once = np.unique(ends @ [1 << 32, 1], return_index=True)
        found = found.iloc[np.sort(once)].reset_index(drop=True)
        if len(found) > MOST_CANDIDATES:
            self.most_bits = int(found["bits"].iloc[MOST_CANDIDATES]) - 1
            found = found[found["bits"] <= self.most_bits]
        return found


def _examine(thumbnails: npt.NDArray, candidates: pd.DataFrame) -> Iterator[Pair]:
    def examine(row: Any) -> Pair:
        window = hashes.WINDOWS[row.window]
        correlation = overlay_correlation(thumbnails[row.first], thumbnails[row.second], window, bool(row.mirrored))
        cropped, mirrored = row.window > 0, row.mirrored > 0
        how = " ".join(["mirrored"] * mirrored + ["crop"] * cropped) or "same picture"
        return Pair(int(row.first), int(row.second), correlation, how)

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from Bar(
            pool.map(examine, candidates.itertuples(), chunksize=64),
            desc="compare pictures",
            total=len(candidates),
            unit="pair",
        )


def overlay_correlation(
    first: npt.NDArray,
    second: npt.NDArray,
    window: tuple[tuple[float, float], tuple[float, float]],
    mirrored: bool,
) -> float:
    """Lays one picture over another and correlates their details.

    Args:
      first: uint8 (SIDE, SIDE).
      second: uint8 (SIDE, SIDE).
      window: rows and columns of the first that the second seems to be, where the fit begins.
      mirrored: whether left and right of the first are exchanged, after its window is cut out.

    Returns:
      Correlation in [-1, 1] over the part that both show; 0 where no fit was found.
    """
    (top, bottom), (left, right) = window
    if mirrored:
        first, (left, right) = cv2.flip(first, 1), (1 - right, 1 - left)
    small_first, small_second = (
        cv2.resize(picture, (FITTED, FITTED), interpolation=cv2.INTER_AREA) for picture in (first, second)
    )
    guess = np.array([[right - left, 0, left * FITTED], [0, bottom - top, top * FITTED]], np.float32)
    try:
        fitted = _fit(small_first, small_second, guess)
    except cv2.error:  # no fit: nothing in common, or a picture of one grey level
        return 0.0
    return _correlation(first, second, _enlarged(fitted, SIDE / FITTED))


def _fit(first: npt.NDArray, second: npt.NDArray, guess: npt.NDArray) -> npt.NDArray:
    """The affine map, (2, 3), from pixels of the second picture to those of the first, by ECC."""
    every_pixel = np.ones(second.shape, np.uint8)
    start = guess.astype(np.float32)
    return np.asarray(cv2.findTransformECC(second, first, start, cv2.MOTION_AFFINE, _STOP, every_pixel, _SMOOTHED)[1])


def _correlation(first: npt.NDArray, second: npt.NDArray, warp: npt.NDArray) -> float:
    """Correlation of details where both pictures show something, 0 where that is too little."""
    laid, inside = (
        cv2.warpAffine(picture, warp, (SIDE, SIDE), flags=how | cv2.WARP_INVERSE_MAP)
        for picture, how in ((first, cv2.INTER_LINEAR), (np.ones_like(first), cv2.INTER_NEAREST))
    )
    both = cv2.erode(inside, np.ones((3, 3), np.uint8)).astype(bool)
    if both.mean() < _LEAST_OVERLAP:
        return 0.0
    one, other = (_details(picture)[both] for picture in (laid, second))
    spread = float(one.std() * other.std())
    return float(np.mean((one - one.mean()) * (other - other.mean())) / spread) if spread > 1e-6 else 0.0


def _enlarged(warp: npt.NDArray, scale: float) -> npt.NDArray:
    """An affine map of pixels, (2, 3), for pictures `scale` times as large; pixel centres lie at halves."""
    turn, shift = warp[:, :2], warp[:, 2]
    return np.column_stack([turn, scale * shift + (scale - 1) / 2 * (1 - turn.sum(axis=1))])


def _details(picture: npt.NDArray) -> npt.NDArray:
    levels = picture.astype(np.float32)
    between = cv2.GaussianBlur(levels, (0, 0), FINE) - cv2.GaussianBlur(levels, (0, 0), COARSE)
    contrast = np.sqrt(cv2.GaussianBlur(between * between, (0, 0), EVEN))
    return between / (contrast + _LEAST_CONTRAST)
