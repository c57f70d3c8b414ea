"""Disease laid into a synthetic slice: ground-glass patches or a consolidated lobe, with its mask.

The patterns follow the radiological descriptions in words only (peripheral bilateral ground glass in COVID-19,
a dense opacity bounded by a fissure with air-filled bronchi in lobar pneumonia); no scan was measured.
"""

import dataclasses

import cv2
import numpy as np

from tfds_ctcov19.phantom import anatomy, shapes

MASK_THRESHOLD = 0.35  # a pixel is lesion where at least this share of its air is displaced by the disease pattern


@dataclasses.dataclass(frozen=True)
class Disease:
    """What all diseased slices of one patient share.

    Attributes:
      severity: 0 (barely visible) to 1 (extensive).
      side: the lung with the larger burden, `anatomy.LEFT` or `anatomy.RIGHT`.
      both: whether the other lung is ill as well.
      fissure: place and tilt of the edge of the consolidated lobe, body units and radians.
      lower: whether the lobe lies behind that edge (lower lobe) or in front of it.
    """

    severity: float
    side: int
    both: bool
    fissure: tuple[float, float]
    lower: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Disease":
        """Draws the disease of one patient."""
        return cls(
            severity=rng.uniform(0.3, 1.0),
            side=int(rng.choice((anatomy.LEFT, anatomy.RIGHT))),
            both=bool(rng.random() < 0.15),
            fissure=(rng.uniform(-0.12, 0.28), rng.uniform(-0.6, 0.6)),
            lower=bool(rng.random() < 0.65),
        )


def add_covid19(drawn: anatomy.Slice, disease: Disease, rng: np.random.Generator) -> np.ndarray:
    """Lays ground-glass patches along the pleura of both lungs.

    Args:
      drawn: the slice; its `hu` changes in place.
      disease: the patient's disease.
      rng: randomness of this slice only.

    Returns:
      Lesion mask, bool (size, size).
    """
    size = drawn.hu.shape[0]
    share = np.zeros((size, size), np.float32)
    for side, lung in drawn.lungs.items():
        burden = disease.severity * (1 if side == disease.side else rng.uniform(0.4, 1.0))
        for _ in range(1 + rng.poisson(1.5 + 3 * burden)):
            rows, columns = np.nonzero(lung & (drawn.pleura < 0.09) & (np.abs(drawn.x) > 0.3))
            if not len(rows):
                continue
            back = 1 + 1.5 * (drawn.y[rows, columns] > 0)  # more often at the back
            pick = rng.choice(len(rows), p=back / back.sum())
            share = np.maximum(
                share, _patch(drawn, rows[pick], columns[pick], rng.uniform(0.07, 0.13 + 0.10 * burden), rng)
            )
    lungs = drawn.lungs[anatomy.LEFT] | drawn.lungs[anatomy.RIGHT]
    share = cv2.GaussianBlur(share, (0, 0), size / 140) * lungs
    haze = rng.uniform(320, 460) + 45 * shapes.smooth_noise(size, size / 60, rng)  # Hounsfield units added
    lines = np.abs(shapes.smooth_noise(size, size / 40, rng)) < 0.18  # thickened septa
    drawn.hu += share * (haze + rng.uniform(0, 130) * lines) * (drawn.hu < -250)
    return _mask(share)


def add_pneumonia(drawn: anatomy.Slice, disease: Disease, rng: np.random.Generator) -> np.ndarray:
    """Fills a part of a lobe up to its fissure, seldom a smaller part of the other lung too.

    Args:
      drawn: the slice; its `hu` changes in place.
      disease: the patient's disease.
      rng: randomness of this slice only.

    Returns:
      Lesion mask, bool (size, size).
    """
    size = drawn.hu.shape[0]
    share = np.zeros((size, size), np.float32)
    for side, lung in drawn.lungs.items():
        if side == disease.side:
            share += _lobe(drawn, lung, side, disease, disease.severity, rng)
        elif disease.both:
            share += _lobe(drawn, lung, side, disease, 0.4 * disease.severity, rng)
    grain = shapes.smooth_noise(size, size / 40, rng)
    target = rng.uniform(-120, 20) + 35 * grain
    bronchi = np.clip(1.4 - 9 * np.abs(shapes.smooth_noise(size, size / 9, rng)), 0, 1) * (grain > -0.4)
    target = target - rng.uniform(300, 600) * bronchi
    drawn.hu += (np.maximum(target, drawn.hu) - drawn.hu) * share
    return _mask(share)


def add_bystander(drawn: anatomy.Slice, rng: np.random.Generator) -> None:
    """Adds findings that say nothing about the class: sunk blood, bands, nodules, emphysema; changes `hu` in place."""
    size = drawn.hu.shape[0]
    lungs = drawn.lungs[anatomy.LEFT] | drawn.lungs[anatomy.RIGHT]
    if rng.random() < 0.25:  # density at the lowest edge of both lungs
        edge = np.clip(1 - drawn.pleura / rng.uniform(0.04, 0.09), 0, 1) * np.clip((drawn.y - 0.15) * 5, 0, 1)
        drawn.hu += edge * lungs * rng.uniform(60, 220)
    for _ in range(rng.poisson(0.5)):  # plate-like collapse or scar
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3)
        band = np.abs(drawn.x * np.cos(angle) + drawn.y * np.sin(angle) - offset) < 0.009
        drawn.hu += band * lungs * (shapes.smooth_noise(size, size / 5, rng) > 0.3) * (drawn.hu < -300) * 450
    for _ in range(rng.poisson(0.6)):  # nodule
        rows, columns = np.nonzero(lungs)
        if len(rows):
            pick = rng.integers(len(rows))
            far = np.hypot(drawn.x - drawn.x[rows[pick], columns[pick]], drawn.y - drawn.y[rows[pick], columns[pick]])
            drawn.hu += (far < rng.uniform(0.015, 0.035)) * lungs * (drawn.hu < -300) * 700
    if rng.random() < 0.25:
        drawn.hu -= lungs * (shapes.smooth_noise(size, size / 12, rng) > 1) * rng.uniform(30, 110)


def _patch(drawn: anatomy.Slice, row: int, column: int, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Cloud of about `radius` around a pixel, longer along the pleura than across it."""
    dx, dy = drawn.x - drawn.x[row, column], drawn.y - drawn.y[row, column]
    along = np.arctan2(drawn.y[row, column], drawn.x[row, column]) + np.pi / 2
    u = dx * np.cos(along) + dy * np.sin(along)
    v = dy * np.cos(along) - dx * np.sin(along)
    cloud = 1 - np.hypot(u / (radius * rng.uniform(1.1, 1.9)), v / radius)
    cloud += 0.22 * shapes.smooth_noise(drawn.hu.shape[0], 0.6 * radius * drawn.hu.shape[0] / 2, rng)
    return np.clip(cloud * 3, 0, 1) * rng.uniform(0.7, 1.0)


def _lobe(
    drawn: anatomy.Slice, lung: np.ndarray, side: int, disease: Disease, extent: float, rng: np.random.Generator
) -> np.ndarray:
    place, tilt = disease.fissure
    beyond = (drawn.y - place - np.tan(tilt) * (np.abs(drawn.x) - 0.45)) * (1 if disease.lower else -1)
    seed = (side * rng.uniform(0.35, 0.6), place + (1 if disease.lower else -1) * rng.uniform(0.05, 0.2))
    reach = 0.20 + 0.35 * extent
    cloud = 1 - np.hypot(drawn.x - seed[0], drawn.y - seed[1]) / reach
    cloud += 0.2 * shapes.smooth_noise(drawn.hu.shape[0], reach * drawn.hu.shape[0] / 6, rng)
    return (np.clip(cloud * 3.5, 0, 1) * np.clip(beyond / 0.015 + 0.5, 0, 1) * lung).astype(np.float32)


def _mask(share: np.ndarray) -> np.ndarray:
    return share > MASK_THRESHOLD
