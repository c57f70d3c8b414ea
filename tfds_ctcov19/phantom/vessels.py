"""Vessels of a synthetic lung: forking branches from its root, and round cuts."""

import cv2
import numpy as np

from tfds_ctcov19.phantom import shapes

VESSEL = -15.0  # Hounsfield units, blood blurred by the air around it


def draw_vessels(
    hu: np.ndarray,
    inside: np.ndarray,
    number: int,
    pixel: float,
    rng: np.random.Generator,
    opacity: tuple[float, float] = (0.5, 0.8),
) -> None:
    """Draws branches from the root of a lung outwards, thinner at every fork, and vessels cut across.

    Args:
      hu: float32 (size, size), Hounsfield units; changes in place.
      inside: signed distance to the edge of the lung in body units, positive inside.
      number: branches that leave the root, and as many round cuts.
      pixel: size of a pixel in body units.
      rng: randomness of this slice.
      opacity: smallest and largest share of the air that a vessel displaces: most of it in a thin slice, little along
        a ray through the whole lung.
    """
    rows, columns = np.nonzero(inside > 0.02)
    if not len(rows):
        return
    places = columns + 1j * rows  # a complex number is a point: turning and scaling are one product
    root = places[np.argmin(np.abs(columns - hu.shape[1] / 2))].real + 1j * np.median(rows)
    shares = np.zeros(hu.shape, np.uint8)
    for goal in places[rng.integers(len(places), size=number)]:
        start = root + complex(*rng.normal(0, 0.06 / pixel, 2))
        _draw_branch(shares, start, goal, rng.uniform(0.010, 0.024) / pixel, rng)
    for centre in places[rng.integers(len(places), size=number)]:
        radius = rng.exponential(0.006) / pixel + 0.35
        fixed = shapes.fixed_point(np.array([centre]))[0].tolist()
        cv2.circle(shares, fixed, max(1, round(radius * 16)), int(255 * min(1, radius + 0.2)), -1, cv2.LINE_AA, 4)
    shapes.blend(hu, VESSEL, shares / 255 * rng.uniform(*opacity) * shapes.soft(inside - 0.01, pixel))


def _draw_branch(
    shares: np.ndarray, start: complex, goal: complex, width: float, rng: np.random.Generator, forks: int = 2
) -> None:
    bend = start + (0.5 + complex(*rng.normal(0, 0.12, 2))) * (goal - start)
    t = np.linspace(0, 1, 9)
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * goal
    for piece, taper in ((points[:4], 1.0), (points[3:7], 0.75), (points[6:], 0.5)):
        strength = int(255 * min(max(taper * width, 0.25), 1))
        cv2.polylines(
            shares, [shapes.fixed_point(piece)], False, strength, max(1, round(taper * width)), cv2.LINE_AA, 4
        )
    if forks and width > 0.6:
        fork = points[rng.integers(2, 7)]
        turned = (goal - fork) * np.exp(1j * rng.normal(0, 0.8)) * rng.uniform(0.5, 0.9)
        _draw_branch(shares, fork, fork + turned, width * 0.65, rng, forks - 1)
