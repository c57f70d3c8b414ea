"""Procedural axial chest CT in Hounsfield units: synthetic, drawn from no scan of any person.

A slice is drawn on a grid in body coordinates: x to the right of the picture (the patient's left), y to the
back, the half width of the chest is 1. Anatomy comes first, disease (`lesions.py`) is laid into the lungs, and
`scanner.py` turns Hounsfield units into a grey picture.
"""

import dataclasses
import math

import cv2
import numpy as np

from tfds_ctcov19.phantom import shapes, vessels

AIR, FAT, MUSCLE, BLOOD, BONE = -1000.0, -100.0, 50.0, 45.0, 350.0  # Hounsfield units
HEART = (0.16, -0.12)  # centre in body coordinates
LEFT, RIGHT = 1, -1  # side of the picture: the patient's left lung is on the right


@dataclasses.dataclass(frozen=True)
class Patient:
    """What all slices of one synthetic person share.

    Attributes:
      depth: front-to-back radius of the chest over its half width, 0.6 to 0.8.
      fat: thickness of the fat under the skin, in body units.
      lung: Hounsfield units of aerated lung: deep inspiration to expiration.
      gradient: rise of lung density from front to back, Hounsfield units a body unit (blood sinks).
      heart: radius of the heart in body units.
      vessels: number of vessels drawn in each lung.
      pose: rotation in degrees, shift right and down as shares of the picture, half width as a share of it.
      table: whether the scanner's table is in view.
    """

    depth: float
    fat: float
    lung: float
    gradient: float
    heart: float
    vessels: int
    pose: tuple[float, float, float, float]
    table: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Patient":
        """Draws a patient; nothing here depends on the diagnosis."""
        return cls(
            depth=rng.uniform(0.62, 0.80),
            fat=rng.uniform(0.02, 0.10),
            lung=rng.uniform(-880, -740),
            gradient=rng.uniform(20, 140),
            heart=rng.uniform(0.24, 0.34),
            vessels=int(rng.integers(12, 26)),
            pose=(rng.normal(0, 3.5), rng.normal(0, 0.015), rng.normal(0, 0.015), rng.uniform(0.41, 0.49)),
            table=bool(rng.random() < 0.7),
        )


@dataclasses.dataclass
class Slice:
    """One drawn slice.

    Attributes:
      hu: float32 (size, size), Hounsfield units.
      x: float32 (size, size), body coordinate, grows to the right of the picture.
      y: float32 (size, size), body coordinate, grows to the patient's back.
      lungs: bool (size, size) by side, `LEFT` and `RIGHT`.
      pleura: float32 (size, size), distance to the nearest edge of a lung in body units, 0 outside the lungs.
    """

    hu: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lungs: dict[int, np.ndarray]
    pleura: np.ndarray


def draw_slice(patient: Patient, height: float, size: int, rng: np.random.Generator) -> Slice:
    """Draws a healthy slice.

    Args:
      patient: the person.
      height: place along the body, 0 at the top of the lungs, 1 at the diaphragm.
      size: height and width in pixels.
      rng: randomness of this slice only.

    Returns:
      The slice with its lungs.
    """
    x, y = _body_grid(patient, size, rng)
    hu = np.full((size, size), AIR, np.float32)
    pixel = 1 / (patient.pose[3] * size)
    if patient.table:
        shapes.blend(
            hu, -350, shapes.soft(0.025 - np.abs(y - patient.depth - 0.07 + 0.1 * x**2), pixel) * (np.abs(x) < 0.85)
        )

    outline = shapes.ripple(x, y, rng, 0.015)
    trunk = 1 - shapes.superellipse(x, y / patient.depth, 2.3) + outline
    chest_wall = 1 - shapes.superellipse(x / 0.86, y / (patient.depth * 0.86), 2.2) + outline
    shapes.blend(hu, FAT + 8 * shapes.smooth_noise(size, size / 24, rng), shapes.soft(trunk, pixel))
    shapes.blend(
        hu, MUSCLE + 12 * shapes.smooth_noise(size, size / 40, rng), shapes.soft(trunk - patient.fat * 1.6, pixel)
    )
    _draw_ribs(hu, x, y, patient, pixel, rng)

    lungs = _lungs(x, y, patient, height, chest_wall, rng)
    for inside in lungs.values():
        density = patient.lung + patient.gradient * (y + 0.1) + 22 * shapes.smooth_noise(size, size / 14, rng)
        shapes.blend(hu, density, shapes.soft(inside, pixel))
        vessels.draw_vessels(hu, inside, patient.vessels, pixel, rng)
    _draw_mediastinum(hu, x, y, patient, height, pixel, rng)
    _draw_spine(hu, x, y, patient, pixel, rng)

    masks = {side: inside > 0 for side, inside in lungs.items()}
    either = (masks[LEFT] | masks[RIGHT]).astype(np.uint8)
    pleura = cv2.distanceTransform(either, cv2.DIST_L2, 5) * pixel
    return Slice(hu, x, y, masks, pleura)


def _body_grid(patient: Patient, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    degrees, right, down, half_width = patient.pose
    angle = math.radians(degrees + rng.normal(0, 0.7))
    rows, columns = np.indices((size, size), np.float32) / size - 0.5
    columns, rows = (columns - right) / half_width, (rows - down) / half_width
    return (
        math.cos(angle) * columns + math.sin(angle) * rows,
        math.cos(angle) * rows - math.sin(angle) * columns,
    )


def _heart_radius(patient: Patient, height: float) -> float:
    return patient.heart * min(max((height - 0.25) * 2.2, 0), 1.1)


def _draw_ribs(
    hu: np.ndarray, x: np.ndarray, y: np.ndarray, patient: Patient, pixel: float, rng: np.random.Generator
) -> None:
    """Draws the slanting cuts of all ribs at once, in polar coordinates around the chest."""
    spacing = 2 * np.pi / rng.integers(11, 15)
    angle = np.arctan2(y / patient.depth, x)
    wander = 0.12 * np.sin(3 * angle + rng.uniform(0, 6.3))
    along = np.mod(angle + wander + rng.uniform(0, spacing), spacing) - spacing / 2
    ring = rng.uniform(0.88, 0.91) - patient.fat * 0.5
    across = shapes.length(x, y / patient.depth) - ring - rng.uniform(0.05, 0.14) * along
    half_length, half_width = rng.uniform(0.10, 0.17), rng.uniform(0.024, 0.034)
    rib = (1 - shapes.length(along / half_length, across / half_width)) * half_width
    rib[np.abs(x) < 0.3] = -1  # spine and breastbone stand there
    shapes.blend(hu, BONE + rng.normal(0, 40), shapes.soft(rib, pixel))
    shapes.blend(hu, 170, shapes.soft(rib - 0.014, pixel))
    sternum = shapes.ellipse(x, y, (rng.normal(0, 0.01), -patient.depth * 0.87 + patient.fat * 0.4), (0.12, 0.035))
    shapes.blend(hu, BONE * 0.7, shapes.soft(sternum, pixel))


def _lungs(
    x: np.ndarray, y: np.ndarray, patient: Patient, height: float, chest_wall: np.ndarray, rng: np.random.Generator
) -> dict[int, np.ndarray]:
    extent = 0.62 + 0.38 * math.sin(math.pi * min(height * 0.8 + 0.15, 1))
    lungs = {}
    for side in (LEFT, RIGHT):
        centre = (side * (0.44 + rng.normal(0, 0.01)), 0.02 + rng.normal(0, 0.015))
        radii = (0.37 * extent, patient.depth * 0.78 * extent)
        inside = shapes.ellipse(x + side * 0.05 * y, y, centre, radii) + 0.6 * shapes.ripple(
            x - centre[0], y, rng, 0.02
        )
        inside = np.minimum(inside, chest_wall * 0.5)
        if side == LEFT or height > 0.85:  # the heart, or the dome of the diaphragm, indents the lung
            place = HEART if side == LEFT else (-0.25, 0.0)
            inside = np.minimum(
                inside, shapes.length((x - place[0]) / 1.15, y - place[1]) - _heart_radius(patient, height)
            )
        lungs[side] = np.minimum(inside, side * x - 0.07)
    return lungs


def _draw_mediastinum(
    hu: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    patient: Patient,
    height: float,
    pixel: float,
    rng: np.random.Generator,
) -> None:
    shift = rng.normal(0, 0.01)
    heart = _heart_radius(patient, height)
    if heart > 0.05:
        blob = shapes.ellipse(x + 0.35 * y, y, (0.1 + shift, -0.13), (heart * 1.15, heart)) + shapes.ripple(
            x, y + 0.13, rng, 0.01
        )
        blob = np.maximum(blob, heart + 0.02 - shapes.length((x - HEART[0]) / 1.15, y - HEART[1]))
        shapes.blend(hu, BLOOD + 10 * shapes.smooth_noise(hu.shape[0], 12, rng), shapes.soft(blob, pixel))
    else:
        for place in ((0.1, -0.15), (-0.09, -0.14), (0.02, -0.25)):
            radius = rng.uniform(0.05, 0.08)
            shapes.blend(
                hu, BLOOD, shapes.soft(shapes.ellipse(x, y, (place[0] + shift, place[1]), (radius, radius)), pixel)
            )
    shapes.blend(
        hu, BLOOD + 15, shapes.soft(shapes.ellipse(x, y, (0.12 + shift, 0.22), (0.085, 0.085)), pixel)
    )  # aorta
    if height < 0.4:
        shapes.blend(hu, AIR, shapes.soft(shapes.ellipse(x, y, (shift, 0.0), (0.06, 0.055)), pixel))  # windpipe
    elif height < 0.7:
        for side in (LEFT, RIGHT):
            shapes.blend(
                hu, AIR, shapes.soft(shapes.ellipse(x, y, (side * 0.16 + shift, 0.06), (0.045, 0.032)), pixel)
            )  # bronchi
    shapes.blend(hu, 20, shapes.soft(shapes.ellipse(x, y, (0.03 + shift, 0.16), (0.035, 0.025)), pixel))  # gullet


def _draw_spine(
    hu: np.ndarray, x: np.ndarray, y: np.ndarray, patient: Patient, pixel: float, rng: np.random.Generator
) -> None:
    back = patient.depth * 0.46
    body = shapes.ellipse(x, y, (0, back), (0.155, 0.125))
    arch = shapes.ellipse(np.abs(x), y, (0.14, back + 0.14), (0.16, 0.04))
    process = shapes.ellipse(x, y, (0, back + 0.2), (0.03, 0.07))
    bone = np.maximum(np.maximum(body, arch), process)
    shapes.blend(hu, MUSCLE, shapes.soft(bone + 0.05, pixel))
    shapes.blend(hu, BONE + 60 + 25 * shapes.smooth_noise(hu.shape[0], 4, rng), shapes.soft(bone, pixel))
    shapes.blend(hu, 190 + 35 * shapes.smooth_noise(hu.shape[0], 3, rng), shapes.soft(body - 0.02, pixel))
    shapes.blend(hu, 30, shapes.soft(shapes.ellipse(x, y, (0, back + 0.155), (0.06, 0.05)), pixel))  # canal
