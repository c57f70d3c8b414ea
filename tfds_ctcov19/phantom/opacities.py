"""Opacities of a synthetic chest radiograph that make no class: edema, effusion, atelectasis, and what says nothing.

The patterns follow the radiological descriptions in words only; no image was measured.
"""

import dataclasses

import numpy as np

from tfds_ctcov19.phantom import body, pen, shapes
from tfds_ctcov19.phantom.body import LEFT, RIGHT
from tfds_ctcov19.phantom.radiograph import Chest


@dataclasses.dataclass(frozen=True)
class Illness:
    """How a patient's findings show, the same in every radiograph of the person.

    Attributes:
      severity: 0 (barely visible) to 1 (extensive).
      side: the side of a focal pneumonia and of an effusion.
      both: whether the other lung is ill as well.
      zone: least height of a focal pneumonia above the diaphragm, body units.
      seed: of the outlines.
    """

    severity: float
    side: int
    both: bool
    zone: float
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Illness":
        """Draws how the disease of one patient shows."""
        return cls(
            severity=rng.uniform(0.2, 1.0),
            side=int(rng.choice((LEFT, RIGHT))),
            both=bool(rng.random() < 0.2),
            zone=rng.uniform(0.0, 0.9),
            seed=int(rng.integers(2**31)),
        )


def add_edema(chest: Chest, illness: Illness, rng: np.random.Generator) -> None:
    """Lays haze around both hila, fading outwards, with blurred vessels and short septal lines above the diaphragm."""
    layer = pen.Layer(chest.view, len(chest.density))
    strength = 110 + 130 * illness.severity
    for side in body.SIDES:
        away = shapes.length((chest.x - side * 0.27) / 0.52, (chest.y - 0.02) / 0.62)
        away += 0.12 * shapes.smooth_noise(len(away), len(away) / 7, rng)
        chest.density += strength * np.clip(1.25 - 1.25 * away, 0, 1) * chest.lungs[side]
        for _ in range(7):  # septal lines, at right angles to the wall
            height = chest.top(side) + rng.uniform(-0.30, 0.12)
            edge = side * float(body.wall(height, chest.height)) + 1j * height
            layer.line(np.array([edge, edge - side * rng.uniform(0.08, 0.14)]), 0.010)
        for _ in range(9):  # cuffed bronchi and vessels
            angle, far = rng.uniform(-1.2, 1.2), rng.uniform(0.25, 0.55)
            hilum = complex(side * 0.2)
            layer.line(np.array([hilum, hilum + far * complex(side * np.cos(angle), np.sin(angle))]), 0.010)
    layer.add_to(chest.density, 140, chest.both)


def add_effusion(chest: Chest, illness: Illness, rng: np.random.Generator) -> None:
    """Fills the base of one or both lungs with fluid whose upper edge climbs along the wall, as in a meniscus."""
    both = rng.random() < 0.4
    for side in (illness.side, -illness.side)[: 1 + both]:
        amount = (0.16 + 0.36 * rng.uniform(0.3, 1.0) * illness.severity) * (1 if side == illness.side else 0.7)
        angle = chest.top(side) + 0.30  # the depth of the costophrenic angle
        across = np.clip((np.abs(chest.x) - 0.1) / (body.CAVITY - 0.1), 0, 1)
        surface = angle - amount * (0.45 + 0.65 * across**3)
        within = np.minimum(np.minimum(chest.rim + 0.02, side * chest.x - 0.05), chest.y - surface)
        share = 0.95 * shapes.soft(within, 0.05) * (chest.y < angle + 0.1)
        shapes.blend(chest.density, np.maximum(chest.density, 50 + 60 * across), share)


def add_atelectasis(chest: Chest, side: int, rng: np.random.Generator) -> None:
    """Lays one to three plates of collapsed lung above the raised diaphragm of a side."""
    layer = pen.Layer(chest.view, len(chest.density))
    for _ in range(rng.integers(1, 4)):
        middle = complex(side * rng.uniform(0.40, 0.62), chest.top(side) - rng.uniform(0.05, 0.30))
        half = rng.uniform(0.13, 0.24) * complex(1.0, rng.normal(0, 0.2))
        layer.line(np.array([middle - half, middle + half]), rng.uniform(0.020, 0.038))
    layer.add_to(chest.density, 260, chest.lungs[side], blur=0.008)


def add_scars(chest: Chest, rng: np.random.Generator) -> None:
    """Adds old changes that say nothing about class or findings: a nodule, thickened pleura, a cap over an apex.

    Args:
      chest: changes in place.
      rng: randomness of this person's outlines.
    """
    if rng.random() < 0.2:
        centre = (rng.choice(body.SIDES) * rng.uniform(0.3, 0.7), rng.uniform(-0.6, 0.4))
        radius = rng.uniform(0.025, 0.05)
        chest.density += 240 * shapes.soft(shapes.ellipse(chest.x, chest.y, centre, (radius, radius)), 0.03)
    if rng.random() < 0.25:
        thick, low = rng.uniform(0.05, 0.13), rng.uniform(0.0, 0.5)
        band = np.clip(1 - chest.rim / thick, 0, 1) * np.clip(1.5 - 3 * np.abs(chest.y - low), 0, 1)
        for side in rng.permutation(body.SIDES)[: rng.integers(1, 3)]:
            chest.density += rng.uniform(80, 180) * band * chest.lungs[side]
    if rng.random() < 0.15:
        chest.density += 160 * np.clip(-3 * (chest.y + 0.72), 0, 1) * chest.lungs[int(rng.choice(body.SIDES))]


def add_circumstances(chest: Chest, rng: np.random.Generator) -> None:
    """Adds what one radiograph happens to show: crowded vessels after a shallow breath, leads with their electrodes.

    Args:
      chest: changes in place.
      rng: randomness of this radiograph only.
    """
    if rng.random() < 0.3:
        depth = np.clip(1 + 4 * (chest.y - chest.view.diaphragm), 0, 1)
        haze = 1 + 0.5 * shapes.smooth_noise(len(depth), len(depth) / 10, rng)
        chest.density += rng.uniform(50, 130) * haze * depth * chest.both
    layer = pen.Layer(chest.view, len(chest.density))
    for _ in range(rng.poisson(0.35)):
        start = complex(rng.uniform(-0.8, 0.8), rng.uniform(-0.7, 0.6))
        t = np.linspace(0, 1, 12)
        layer.line(start + t * complex(rng.normal(0, 0.5), 1.4) + 0.1 * np.sin(4 * t + rng.uniform(0, 6)), 0.014)
        layer.dot(start, 0.035)
    layer.add_to(chest.density, 220)
