"""Opacities laid over a synthetic chest radiograph: fluid, haze, plates, consolidation and the patches of COVID-19.

The patterns follow the radiological descriptions in words only; no image was measured.
"""

import dataclasses

import cv2
import numpy as np

from tfds_ctcov19.phantom import body, shapes
from tfds_ctcov19.phantom.body import LEFT, RIGHT
from tfds_ctcov19.phantom.radiograph import Chest

MASK_THRESHOLD = 0.35  # a pixel is lesion where the pattern of the disease has at least this share of its full strength


@dataclasses.dataclass(frozen=True)
class Illness:
    """How a patient's findings show, the same in every radiograph of the person.

    Attributes:
      severity: 0 (barely visible) to 1 (extensive).
      side: the side of a pneumonia, a small effusion and a plate.
      zone: height of a lobar pneumonia in the lung, body units, grows downwards.
      seed: of the outlines.
    """

    severity: float
    side: int
    zone: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Illness":
        """Draws how the disease of one patient shows."""
        return cls(
            severity=rng.uniform(0.3, 1.0),
            side=int(rng.choice((LEFT, RIGHT))),
            zone=rng.uniform(-0.55, 0.40),
            seed=int(rng.integers(2**31)),
        )


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
            height = chest.view.diaphragm - rng.uniform(-0.02, 0.62 if patch < number - 1 else 0.95)
            radius = rng.uniform(0.10, 0.15 + 0.10 * burden)
            place = side * (float(body.wall(height, chest.height)) - rng.uniform(0.3, 1.0) * radius)
            cloud = _cloud(chest, (place, height), (0.85 * radius, 1.35 * radius), rng)
            share = np.maximum(share, rng.uniform(0.75, 1.0) * cloud)
            if consolidated and patch < 2:
                core = np.maximum(core, _cloud(chest, (place, height), (0.6 * radius, 0.9 * radius), rng))
    share *= _lungs(chest)
    grain = shapes.smooth_noise(len(share), len(share) / 50, rng)
    chest.density += share * (rng.uniform(170, 260) + 30 * grain) + 190 * core * _lungs(chest)
    return share > MASK_THRESHOLD


def add_pneumonia(chest: Chest, illness: Illness, consolidated: bool, rng: np.random.Generator) -> np.ndarray:
    """Lays one focal pneumonia into one lung: a dense part of a lobe that ends at its fissure, or loose patches.

    Args:
      chest: changes in place.
      illness: how the disease shows.
      consolidated: whether the lobe is airless, with the bronchi standing out dark, or only patchy.
      rng: randomness of this person's outlines.

    Returns:
      Lesion mask, bool (size, size).
    """
    reach = 0.20 + 0.16 * illness.severity
    place = (illness.side * rng.uniform(0.40, 0.60), illness.zone)
    grain = shapes.smooth_noise(len(chest.density), len(chest.density) / 30, rng)
    if consolidated:
        up, tilt = rng.choice((-1, 1)), rng.uniform(-0.25, 0.25)
        fissure = (chest.y - place[1] - tilt * (np.abs(chest.x) - 0.5)) * up + 0.45 * reach
        share = _cloud(chest, place, (1.15 * reach, reach), rng) * shapes.soft(fissure, 0.03)
        bronchi = np.clip(1.2 - 8 * np.abs(shapes.smooth_noise(len(share), len(share) / 9, rng)), 0, 1)
        added = rng.uniform(330, 430) + 30 * grain - 150 * bronchi
    else:
        share = np.zeros_like(chest.density)
        for patch in range(4):
            spot = np.array(place) + (patch > 0) * rng.normal(0, 0.5 * reach, 2)
            radius = reach * rng.uniform(0.35, 0.6)
            share = np.maximum(share, _cloud(chest, (spot[0], spot[1]), (radius, radius), rng))
        added = rng.uniform(190, 290) + 60 * grain
    share = share * chest.lungs[illness.side]
    chest.density += share * added
    return share > MASK_THRESHOLD


def add_edema(chest: Chest, illness: Illness, rng: np.random.Generator) -> None:
    """Lays haze around both hila, fading outwards, with blurred vessels and short septal lines above the diaphragm."""
    strength = 130 + 130 * illness.severity
    canvas = np.zeros(chest.density.shape, np.uint8)
    unit = chest.view.half_width * len(canvas)
    for side in body.SIDES:
        away = shapes.length((chest.x - side * 0.27) / 0.52, (chest.y - 0.02) / 0.62)
        away += 0.12 * shapes.smooth_noise(len(canvas), len(canvas) / 7, rng)
        chest.density += strength * np.clip(1.25 - 1.25 * away, 0, 1) * chest.lungs[side]
        for _ in range(7):  # septal lines, at right angles to the wall
            height = chest.view.diaphragm + rng.uniform(-0.30, 0.12)
            edge = float(body.wall(height, chest.height))
            line = np.array([[side * edge, height], [side * (edge - rng.uniform(0.08, 0.14)), height + 0.01]])
            _stroke(canvas, chest, line, 0.010 * unit)
        for _ in range(9):  # cuffed bronchi and vessels
            start, angle = np.array([side * 0.2, 0.0]), rng.uniform(-1.2, 1.2)
            far = rng.uniform(0.25, 0.55)
            _stroke(canvas, chest, np.array([start, start + far * np.array([side * np.cos(angle), np.sin(angle)])]), 1)
    chest.density += canvas * np.float32(140 / 255) * _lungs(chest)


def add_effusion(chest: Chest, illness: Illness, rng: np.random.Generator) -> None:
    """Fills the base of one or both lungs with fluid whose upper edge climbs along the wall, as in a meniscus."""
    both = rng.random() < 0.4
    for side in body.SIDES:
        amount = (0.16 + 0.36 * rng.uniform(0.3, 1.0) * illness.severity) * (1 if side == illness.side else 0.7)
        if side != illness.side and not both:
            continue
        angle = chest.domes[side].min() + 0.30  # the depth of the costophrenic angle
        across = np.clip((np.abs(chest.x) - 0.1) / (body.CAVITY - 0.1), 0, 1)
        surface = angle - amount * (0.45 + 0.65 * across**3)
        within = np.minimum(np.minimum(chest.rim + 0.02, side * chest.x - 0.05), chest.y - surface)
        share = 0.95 * shapes.soft(within, 0.05) * (chest.y < angle + 0.1)
        shapes.blend(chest.density, np.maximum(chest.density, 50 + 60 * across), share)


def add_atelectasis(chest: Chest, side: int, rng: np.random.Generator) -> None:
    """Lays one to three plates of collapsed lung above the raised diaphragm of a side."""
    canvas = np.zeros(chest.density.shape, np.uint8)
    unit = chest.view.half_width * len(canvas)
    top = float(chest.domes[side].min())
    for _ in range(rng.integers(1, 4)):
        middle = np.array([side * rng.uniform(0.40, 0.62), top - rng.uniform(0.05, 0.30)])
        half = rng.uniform(0.13, 0.24) * np.array([1.0, rng.normal(0, 0.2)])
        _stroke(canvas, chest, np.array([middle - half, middle + half]), rng.uniform(0.020, 0.038) * unit)
    chest.density += cv2.GaussianBlur(canvas, (0, 0), 0.006 * unit + 0.3) * np.float32(300 / 255) * chest.lungs[side]


def add_bystander(chest: Chest, rng: np.random.Generator) -> None:
    """Adds what says nothing about class or findings: leads of a monitor, a nodule, a thickened apex."""
    canvas = np.zeros(chest.density.shape, np.uint8)
    unit = chest.view.half_width * len(canvas)
    for _ in range(rng.poisson(0.5)):  # lead with its electrode
        start = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.7, 0.6)])
        t = np.linspace(0, 1, 12)[:, None]
        path = start + t * np.array([rng.normal(0, 0.5), 1.4]) + 0.1 * np.sin(4 * t + rng.uniform(0, 6))
        _stroke(canvas, chest, path, 0.014 * unit)
        _stroke(canvas, chest, np.stack([start, start]), 0.07 * unit)
    chest.density += canvas * np.float32(260 / 255)
    if rng.random() < 0.2:
        centre = (rng.choice(body.SIDES) * rng.uniform(0.3, 0.7), rng.uniform(-0.6, 0.4))
        radius = rng.uniform(0.025, 0.05)
        chest.density += 240 * shapes.soft(shapes.ellipse(chest.x, chest.y, centre, (radius, radius)), 0.03)
    if rng.random() < 0.15:
        chest.density += 160 * np.clip(-3 * (chest.y + 0.72), 0, 1) * chest.lungs[int(rng.choice(body.SIDES))]


def _lungs(chest: Chest) -> np.ndarray:
    return chest.lungs[LEFT] + chest.lungs[RIGHT]


def _cloud(
    chest: Chest, centre: tuple[float, float], radii: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Share of a pixel inside a fuzzy ellipse, float32 (size, size)."""
    size = len(chest.density)
    cloud = 1 - shapes.length((chest.x - centre[0]) / radii[0], (chest.y - centre[1]) / radii[1])
    cloud += 0.25 * shapes.smooth_noise(size, 0.8 * min(radii) / chest.pixel, rng)
    return np.clip(2.5 * cloud, 0, 1)


def _stroke(canvas: np.ndarray, chest: Chest, points: np.ndarray, thick: float) -> None:
    path = np.rint(chest.view.pixels(points, len(canvas)) * 16).astype(np.int32)
    level = int(255 * min(1, max(thick, 0.4)))
    cv2.polylines(canvas, [path], False, level, max(1, round(thick)), cv2.LINE_AA, 4)
