"""Soft-edged shapes and smooth noise on a grid in body coordinates."""

import cv2
import numpy as np


def smooth_noise(size: int, grain: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1, float32 (size, size); `grain` is its correlation length in pixels."""
    cells = max(2, round(size / max(grain, 1)) + 1)
    noise = cv2.resize(
        rng.standard_normal((cells, cells)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )
    return (noise - noise.mean()) / (noise.std() + 1e-6)


def ripple(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, amplitude: float) -> np.ndarray:
    """Irregular outline: slow waves around the origin, to add to a signed distance; about `amplitude` body units."""
    angle = np.arctan2(y, x)
    return sum(rng.normal(0, amplitude / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4, 5))


def ellipse(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    """Rough signed distance to an ellipse in body units, positive inside."""
    return (1 - length((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])) * min(radii)


def superellipse(x: np.ndarray, y: np.ndarray, power: float) -> np.ndarray:
    """Radius of each pixel under the norm of that power; 2 is a circle, more is squarer."""
    return (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)


def length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance from the origin; `np.hypot` takes care of overflow, which cannot occur here, and is slower."""
    return np.sqrt(x * x + y * y)


def soft(distance: np.ndarray, pixel: float) -> np.ndarray:
    """Share of each pixel that lies inside a shape, from the signed distance to its edge."""
    return np.clip(distance / pixel + 0.5, 0, 1)


def blend(hu: np.ndarray, value: float | np.ndarray, share: np.ndarray) -> None:
    """Replaces a share of each pixel's Hounsfield units by `value`, in place."""
    hu += (value - hu) * share


def fixed_point(points: np.ndarray) -> np.ndarray:
    """OpenCV's pixel coordinates with 4 fractional bits, int32 (points, 2), of points as complex column + i row."""
    return np.rint(points.view(np.float64).reshape(-1, 2) * 16).astype(np.int32)
