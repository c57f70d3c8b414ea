"""Where the lungs are in an axial chest CT slice: threshold and morphology, nothing learnt; no TensorFlow.

Lungs are dark islands in a bright body. The method needs them surrounded by tissue and darker than it, and says so
where it finds no such pair; it knows nothing of chest radiographs.
"""

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 256  # of the copy that is searched, pixels
LARGEST, SMALLEST = 0.6, 0.04  # share of the image that both lungs may cover
SMALLER_LUNG = 0.1  # of the area of the larger one, at least
FRAME = 8  # pixels of that copy at each border that may belong to a frame around the picture
ON_BORDER = 0.12  # share of a region's outline that may lie on the border inside the frame
LARGEST_HOLE = 0.02  # share of the image: a hole up to that size in a lung is counted as lung
WIDEST_CLOSING = 0.06  # of the side: vessels and patches at the pleura of that width are counted as lung


def lung_mask(grey: npt.NDArray) -> npt.NDArray | None:
    """Finds both lungs.

    Args:
      grey: uint8 (height, width), an axial slice in any window in which lung is darker than muscle, as it was stored:
        not equalised.

    Returns:
      bool (height, width), True in the lungs with their vessels; None where no plausible pair of lungs is found.
    """
    height, width = grey.shape
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    dark = _dark(small)
    tissue = np.nonzero(dark == 0)[1]
    lungs = _pair(_regions(dark), int(np.median(tissue)) if len(tissue) else 0, width / height)
    if lungs is None:
        return None
    closed = np.zeros_like(dark)
    for lung in lungs:
        closed |= _filled(_closed(lung))
    if not SMALLEST <= closed.mean() <= LARGEST:
        return None
    return cv2.resize(closed, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0


def _dark(grey: npt.NDArray) -> npt.NDArray:
    """uint8 (side, side), 1 where the image is darker than tissue; specks and thin bridges are left out.

    Otsu's threshold parts air from tissue. Ground glass lies between them, so the limit is set halfway from there to
    the median of the tissue.
    """
    smooth = cv2.medianBlur(grey, 5)
    otsu, _ = cv2.threshold(smooth, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    tissue = smooth[smooth > otsu]
    limit = (otsu + np.median(tissue)) / 2 if len(tissue) else otsu
    return cv2.morphologyEx((smooth < limit).astype(np.uint8), cv2.MORPH_OPEN, _disc(2))


def _regions(dark: npt.NDArray) -> list[npt.NDArray]:
    """The dark regions that tissue surrounds, largest first."""
    count, labels = cv2.connectedComponents(dark, connectivity=4)
    regions = [(labels == label).astype(np.uint8) for label in range(1, count)]
    inside = [region for region in regions if _share_on_border(region) <= ON_BORDER]
    return sorted(inside, key=np.sum, reverse=True)


def _share_on_border(region: npt.NDArray) -> float:
    """Share of the region's outline that lies on the border; 1 for a region in the frame alone."""
    inner = region[FRAME:-FRAME, FRAME:-FRAME]
    outline = inner - cv2.erode(np.pad(inner, 1), _disc(1))[1:-1, 1:-1]
    border = np.concatenate([inner[0], inner[-1], inner[1:-1, 0], inner[1:-1, -1]])
    return float(border.sum() / outline.sum()) if outline.any() else 1.0


def _pair(regions: list[npt.NDArray], middle: int, aspect: float) -> list[npt.NDArray] | None:
    """The regions that are lungs, if they lie on both sides of the column `middle`.

    A single region is both lungs, joined in front of the heart, only if it is wider than high; `aspect` is the width
    over the height of what was made square.
    """
    if not regions:
        return None
    lungs = [region for region in regions if region.sum() >= SMALLER_LUNG * regions[0].sum()]
    if len(lungs) == 1:
        _, _, across, down = cv2.boundingRect(lungs[0])
        if across * aspect < down:
            return None
    left = sum(int(region[:, :middle].sum()) for region in lungs)
    right = sum(int(region[:, middle:].sum()) for region in lungs)
    return lungs if min(left, right) >= SMALLER_LUNG * max(left, right) else None


def _closed(lung: npt.NDArray) -> npt.NDArray:
    radius = round(WIDEST_CLOSING * SIDE / 2)
    framed = np.pad(lung, radius)
    return cv2.morphologyEx(framed, cv2.MORPH_CLOSE, _disc(radius))[radius:-radius, radius:-radius]


def _filled(region: npt.NDArray) -> npt.NDArray:
    """The region with its holes, but for those as large as the dome of the liver."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(1 - np.pad(region, 1), connectivity=4)
    small = facts[:, cv2.CC_STAT_AREA] <= LARGEST_HOLE * region.size
    small[0] = True  # the region itself
    return small[labels][1:-1, 1:-1].astype(np.uint8)


def _disc(radius: int) -> npt.NDArray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
