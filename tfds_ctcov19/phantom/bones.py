"""Ribs, collar bones, shoulder blades, spine and windpipe of a synthetic chest radiograph."""

import cv2
import numpy as np

from tfds_ctcov19.phantom import body

RIB, CLAVICLE, BLADE, VERTEBRA, WINDPIPE = 130.0, 170.0, 55.0, 90.0, -190.0  # density added along the ray
RIBS = 10  # in view on each side


def draw_bones(density: np.ndarray, patient: body.Patient, view: body.View, rng: np.random.Generator) -> None:
    """Adds bones and the windpipe to a chest.

    Args:
      density: float32 (size, size), mean density along the ray; changes in place.
      patient: the person.
      view: the pose.
      rng: randomness of this person's outlines.
    """
    size = len(density)
    unit = view.half_width * size  # pixels a body unit
    spacing, slope, sag = rng.uniform(0.165, 0.19), rng.uniform(0.10, 0.22), rng.uniform(0.28, 0.42)
    back, front, collar, blade, spine, pipe = (np.zeros((size, size), np.uint8) for _ in range(6))
    t = np.linspace(0, 1, 15)
    for side in body.SIDES:
        for rib in range(RIBS):
            top = -1.0 * patient.height + spacing * rib + rng.normal(0, 0.006)
            arch = top + slope * t**1.5 - 0.07 * np.sin(np.pi * t) * (1 + 0.4 * (rib < 2))
            edge = float(body.wall(arch[-1], patient.height)) + 0.03
            thick = (0.052 + 0.012 * np.sin(np.pi * rib / RIBS)) * unit
            _tube(back, view, np.stack([side * (0.10 + t * (edge - 0.10)), arch], -1), thick)
            end = 0.30 + 0.04 * rib
            if end < edge - 0.1:
                fall = arch[-1] + 0.04 * np.sin(np.pi * t) + sag * t**1.3
                _tube(front, view, np.stack([side * (edge - t * (edge - end)), fall], -1), 1.15 * thick)
        lift = rng.normal(0, 0.03)
        bend = np.stack([side * (0.09 + 0.92 * t), -0.72 - (0.15 + lift) * t + 0.045 * np.sin(2 * np.pi * t)], -1)
        _tube(collar, view, bend + np.array([view.turn, 0]), 0.065 * unit)
        corners = np.array([[0.80, -0.80], [1.12, -0.72], [0.98, -0.2], [0.90, 0.02], [0.84, -0.12]]) * (side, 1)
        cv2.fillPoly(blade, [_fixed(view, corners, size)], 255, cv2.LINE_AA, 4)
        _dot(blade, view, (side * 1.17, -0.82), 0.11 * unit)
    for level in np.arange(-1.3, 1.25, 0.165):
        centre = patient.scoliosis * np.sin(2.5 * level)
        block = np.array([[-0.1, -0.068], [0.1, -0.068], [0.085, 0], [0.1, 0.068], [-0.1, 0.068], [-0.085, 0]])
        cv2.fillPoly(spine, [_fixed(view, block + np.array([centre, level]), size)], 200, cv2.LINE_AA, 4)
        _dot(spine, view, (centre, level + 0.03), 0.022 * unit)
    off = 0.6 * patient.shift + 0.5 * view.turn
    carina = -0.30
    _line(pipe, view, [(0.3 * off, -1.3), (off, -0.7), (off + 0.01, carina)], 0.085 * unit)
    _line(pipe, view, [(off, carina), (off - 0.17, carina + 0.15)], 0.055 * unit)
    _line(pipe, view, [(off, carina), (off + 0.20, carina + 0.17)], 0.05 * unit)
    for canvas, value in ((back, RIB), (front, 0.6 * RIB), (collar, CLAVICLE), (spine, VERTEBRA), (pipe, WINDPIPE)):
        density += canvas * np.float32(value / 255)
    density += cv2.GaussianBlur(blade, (0, 0), 0.02 * unit) * np.float32(BLADE / 255)


def _tube(canvas: np.ndarray, view: body.View, points: np.ndarray, thick: float) -> None:
    """Draws a hollow bone: its rim, where the ray runs along the cortex, is denser than its middle."""
    path = [_fixed(view, points, len(canvas))]
    cv2.polylines(canvas, path, False, 255, max(2, round(thick)), cv2.LINE_AA, 4)
    if thick >= 4:
        cv2.polylines(canvas, path, False, 165, max(1, round(thick - 2)), cv2.LINE_AA, 4)


def _line(canvas: np.ndarray, view: body.View, points: list[tuple[float, float]], thick: float) -> None:
    path = [_fixed(view, np.array(points), len(canvas))]
    cv2.polylines(canvas, path, False, 255, max(1, round(thick)), cv2.LINE_AA, 4)


def _dot(canvas: np.ndarray, view: body.View, centre: tuple[float, float], radius: float) -> None:
    place = _fixed(view, np.array([centre]), len(canvas))[0].tolist()
    cv2.circle(canvas, place, max(1, round(radius * 16)), 255, -1, cv2.LINE_AA, 4)


def _fixed(view: body.View, points: np.ndarray, size: int) -> np.ndarray:
    """OpenCV's fixed-point pixel coordinates with 4 fractional bits, int32 (points, 2)."""
    return np.rint(view.pixels(points, size) * 16).astype(np.int32)
