"""Procedural frontal chest radiograph: synthetic, drawn from no image of any person.

A radiograph sums what lies along each ray, so the picture is drawn as mean density along the ray, on the Hounsfield
scale: about -600 where the ray crosses a lung, about 0 beside it, more through bone. Signs that move the anatomy
itself (a wide heart, a raised diaphragm) belong to the `body.Patient`; `opacities.py` and `infections.py` lay opacities
over the chest, and `xray.py` exposes it.
"""

import dataclasses
import functools

import cv2
import numpy as np

from tfds_ctcov19.phantom import bones, shapes, vessels
from tfds_ctcov19.phantom.anatomy import LEFT, RIGHT
from tfds_ctcov19.phantom.body import CAVITY, SIDES, Patient, View

AIR, TISSUE, HEART, ABDOMEN = -1000.0, -190.0, 60.0, 130.0  # mean density along a ray


@dataclasses.dataclass
class Chest:
    """One drawn chest.

    Attributes:
      density: float32 (size, size), mean density along the ray on the Hounsfield scale.
      x: float32 (size, size), body coordinate, grows to the right of the picture.
      y: float32 (size, size), body coordinate, grows downwards.
      lungs: float32 (size, size) by side, share of each pixel that is lung in view: beside the heart, above the dome.
      domes: float32 (size, size) by side, y of the diaphragm over or under each pixel.
      rim: float32 (size, size), distance to the wall of the chest in body units, negative outside.
      pixel: size of a pixel in body units.
      height: the patient's.
      view: the pose.
    """

    density: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lungs: dict[int, np.ndarray]
    domes: dict[int, np.ndarray]
    rim: np.ndarray
    pixel: float
    height: float
    view: View

    @property
    def both(self) -> np.ndarray:
        """Both lungs, float32 (size, size)."""
        return self.lungs[RIGHT] + self.lungs[LEFT]

    def top(self, side: int) -> float:
        """Height of the dome of the diaphragm of a side, body units."""
        return float(self.domes[side].min())


def draw_chest(patient: Patient, view: View, size: int) -> Chest:
    """Draws a chest without opacities.

    Args:
      patient: the person.
      view: the pose.
      size: height and width in pixels.

    Returns:
      The chest with its lungs.
    """
    rng = np.random.default_rng(patient.seed)
    x, y = view.grid(size)
    pixel = 1 / (view.half_width * size)
    soft = functools.partial(shapes.soft, pixel=1.5 * pixel)
    density = np.full((size, size), AIR, np.float32)
    _draw_trunk(density, x, y, patient, rng)

    u = np.abs(x)
    arch = shapes.superellipse((u - 0.36) / (CAVITY - 0.36), np.maximum(0.35 - y, 0) / (1.32 * patient.height), 2.4)
    rim = 0.45 * (1 - arch) + 0.5 * shapes.ripple(x, y, rng, 0.012)
    mediastinum = _mediastinum(x - patient.shift - view.turn, y, patient, view)
    domes, lungs = {}, {}
    for side, raised in zip(SIDES, patient.raised, strict=True):
        away = u - 0.42
        domes[side] = view.diaphragm - raised + np.where(away > 0, 1.75, 0.5) * away**2
        inside = np.minimum(np.minimum(rim, 0.8 * (domes[side] - y)), np.minimum(side * x, -mediastinum))
        lungs[side] = soft(inside)
        below = np.minimum(np.minimum(y - domes[side], CAVITY + 0.06 - u), side * x)
        shapes.blend(density, ABDOMEN + 25 * patient.fat / 90, soft(below))
        air = shapes.soft(np.minimum(np.minimum(rim, domes[side] - y), side * x), 1.5 * pixel)
        shade = patient.lung + 190 * np.clip(1 - rim / 0.16, 0, 1) ** 2 + 110 * np.clip(-0.35 - y, 0, 1)
        shapes.blend(density, shade + 0.6 * patient.fat, air)
        vessels.draw_vessels(density, inside, patient.vessels, pixel, rng, opacity=(0.22, 0.34))
    stomach = shapes.ellipse(x, y, (0.42, view.diaphragm - patient.raised[1] + 0.17), (0.20, 0.09))
    density -= rng.choice((0.0, 1.0)) * rng.uniform(150, 330) * shapes.soft(stomach, 0.03)
    for side in SIDES:
        breast = shapes.ellipse(x, y, (side * 0.47, 0.30 + rng.normal(0, 0.03)), (0.36, 0.34))
        density += patient.breasts * shapes.soft(breast, 0.08) * lungs[side]
        hilum = shapes.ellipse(x, y, (side * 0.24 + patient.shift, -0.05 + 0.05 * (side == RIGHT)), (0.10, 0.17))
        density += 210 * shapes.soft(hilum, 0.14) * lungs[side]

    blood = HEART - 130 * np.clip(-0.3 - y, 0, 1) + 12 * shapes.smooth_noise(size, size / 8, rng)
    shapes.blend(density, np.maximum(density, blood), shapes.soft(mediastinum, 0.035))
    bones.draw_bones(density, patient, view, rng)
    return Chest(density, x, y, lungs, domes, rim, pixel, patient.height, view)


def _draw_trunk(density: np.ndarray, x: np.ndarray, y: np.ndarray, patient: Patient, rng: np.random.Generator) -> None:
    """Soft tissue: neck, sloping shoulders with the upper arms, flanks."""
    heights = np.array((-1.60, -1.22, -1.05, -0.85, -0.45, 0.10, 1.60))
    widths = np.array((0.30, 0.31, 0.62, 1.45, 1.22, 1.0, 1.04)) + np.array((0, 0, 0, 1, 1, 1, 1)) * patient.fat / 900
    steps = np.linspace(-1.6, 1.6, 256)
    table = cv2.GaussianBlur(np.interp(steps, heights, widths)[None], (0, 0), 5)[0].astype(np.float32)
    outline = table[np.clip((y + 1.6) * (255 / 3.2), 0, 255).astype(np.int32)]
    inside = outline - np.abs(x)
    thickness = np.clip(inside / 0.22, 0, 1) ** 0.5  # rays near the edge of the body cross less of it
    tissue = TISSUE + 1.2 * patient.fat + 14 * shapes.smooth_noise(len(x), len(x) / 12, rng)
    shapes.blend(density, tissue, thickness * (inside > 0))


def _mediastinum(x: np.ndarray, y: np.ndarray, patient: Patient, view: View) -> np.ndarray:
    """Signed distance to the edge of heart and great vessels, positive inside."""
    width = patient.cardiothoracic * 2 * CAVITY * (1 + 0.12 * (0.56 - view.diaphragm))
    half_height = 0.19 + 0.27 * width
    low = view.diaphragm + 0.10 - half_height
    heart = shapes.ellipse(x - 0.30 * (y - low), y, (0.17 * width, low), (width / 2, half_height))
    band = np.minimum(0.15 + 0.05 * np.clip(y + 0.5, -1, 1) - np.abs(x + 0.01), 0.4 * (y + 1.15))
    knob = shapes.ellipse(x, y, (0.11, -0.43), (patient.aorta, 1.3 * patient.aorta))
    trunk = shapes.ellipse(x, y, (0.11, -0.15), (0.11, 0.20))
    outline = np.maximum(np.maximum(heart, band), np.maximum(knob, trunk))
    return cv2.GaussianBlur(outline, (0, 0), 0.035 * view.half_width * len(x))
