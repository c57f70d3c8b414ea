"""The infections that make the class of a synthetic chest radiograph, with their masks: COVID-19 and focal pneumonia.

The patterns follow the radiological descriptions in words only; no image was measured.
"""

import numpy as np

from tfds_ctcov19.phantom import body, shapes
from tfds_ctcov19.phantom.opacities import Illness
from tfds_ctcov19.phantom.radiograph import Chest

MASK_THRESHOLD = 0.35  # a pixel is lesion where the pattern of the disease has at least this share of its full strength


def add_covid19(chest: Chest, illness: Illness, consolidated: bool, rng: np.random.Generator) -> np.ndarray:
    """Lays ground-glass patches along the wall of both lungs, mostly low.

    Args:
      chest: changes in place.
      illness: how the disease shows.
      consolidated: whether some patches have a dense core.
      rng: randomness of this person's outlines.

    Returns:
      Lesion mask, bool (size, size).
    """
    share, core = np.zeros_like(chest.density), np.zeros_like(chest.density)
    for side in body.SIDES:
        burden = illness.severity * (1 if side == illness.side else rng.uniform(0.6, 1.0))
        number = 3 + rng.poisson(2.5 * burden)
        for patch in range(number):
            height = chest.top(side) - rng.uniform(0.0, 0.62 if patch < number - 1 else 0.95)
            radius = rng.uniform(0.10, 0.15 + 0.10 * burden)
            place = side * (float(body.wall(height, chest.height)) - rng.uniform(0.3, 1.0) * radius)
            cloud = _cloud(chest, (place, height), (0.85 * radius, 1.35 * radius), rng)
            share = np.maximum(share, rng.uniform(0.75, 1.0) * cloud)
            if consolidated and patch < 2:
                core = np.maximum(core, _cloud(chest, (place, height), (0.6 * radius, 0.9 * radius), rng))
    share *= chest.both
    grain = shapes.smooth_noise(len(share), len(share) / 50, rng)
    chest.density += share * (rng.uniform(90, 130) + 60 * illness.severity + 25 * grain) + 170 * core * chest.both
    return share > MASK_THRESHOLD


def add_pneumonia(chest: Chest, illness: Illness, consolidated: bool, rng: np.random.Generator) -> np.ndarray:
    """Lays a focal pneumonia into one lung, seldom both: a dense part of a lobe up to its fissure, or loose patches.

    Args:
      chest: changes in place.
      illness: how the disease shows.
      consolidated: whether the lobe is airless, with the bronchi standing out dark, or only patchy.
      rng: randomness of this person's outlines.

    Returns:
      Lesion mask, bool (size, size).
    """
    share = np.zeros_like(chest.density)
    for side in (illness.side, -illness.side)[: 1 + illness.both]:
        reach = (0.22 + 0.18 * illness.severity) * (1 if side == illness.side else 0.7)
        height = chest.top(side) - illness.zone - rng.uniform(0, 0.15)
        place = (side * (float(body.wall(height, chest.height)) - rng.uniform(0.18, 0.36)), height)
        shape = _lobe if consolidated else _patches
        share += shape(chest, place, reach, rng) * chest.lungs[side]
    grain = shapes.smooth_noise(len(chest.density), len(chest.density) / 30, rng)
    if consolidated:
        bronchi = np.clip(1.2 - 8 * np.abs(shapes.smooth_noise(len(share), len(share) / 9, rng)), 0, 1)
        added = rng.uniform(250, 380) + 30 * grain - 140 * bronchi
    else:
        added = rng.uniform(120, 210) + 45 * grain
    chest.density += share * added
    return share > MASK_THRESHOLD


def _lobe(chest: Chest, place: tuple[float, float], reach: float, rng: np.random.Generator) -> np.ndarray:
    up, tilt = rng.choice((-1, 1)), rng.uniform(-0.25, 0.25)
    fissure = (chest.y - place[1] - tilt * (np.abs(chest.x) - 0.5)) * up + 0.45 * reach
    return _cloud(chest, place, (1.15 * reach, reach), rng) * shapes.soft(fissure, 0.03)


def _patches(chest: Chest, place: tuple[float, float], reach: float, rng: np.random.Generator) -> np.ndarray:
    share = np.zeros_like(chest.density)
    for patch in range(4):
        spot = np.array(place) + (patch > 0) * rng.normal(0, 0.5 * reach, 2)
        radius = reach * rng.uniform(0.4, 0.65)
        share = np.maximum(share, _cloud(chest, (spot[0], spot[1]), (radius, radius), rng))
    return share


def _cloud(
    chest: Chest, centre: tuple[float, float], radii: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Share of a pixel inside a fuzzy ellipse, float32 (size, size)."""
    size = len(chest.density)
    cloud = 1 - shapes.length((chest.x - centre[0]) / radii[0], (chest.y - centre[1]) / radii[1])
    cloud += 0.25 * shapes.smooth_noise(size, 0.8 * min(radii) / chest.pixel, rng)
    return np.clip(2.5 * cloud, 0, 1)
