"""Drawings of a chest, to hold a shipped model to its answers wherever it runs: no patient's image is shipped."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ctcov_tf.modality import Modality

SIDE = 256
CANDIDATES = 24


def draw(modality: Modality | None) -> Iterator[npt.NDArray[np.uint8]]:
    """Drawings that differ in body, vessels, contrast and grain.

    Args:
      modality: axial slices, or frontal radiographs; slices where it is not known.

    Yields:
      (256, 256) uint8, grey.
    """
    for seed in range(CANDIDATES):
        rng = np.random.default_rng(seed)
        across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
        picture = _radiograph(across, down, rng) if modality == "CXR" else _slice(across, down, rng)
        grain = _smooth(rng.normal(size=picture.shape), rng.uniform(0.5, 2))
        picture = _smooth(picture, rng.uniform(0.5, 1.5)) + rng.uniform(1, 8) * grain / grain.std()
        yield np.clip(picture, 0, 255).astype(np.uint8)


def _slice(across: npt.NDArray, down: npt.NDArray, rng: np.random.Generator) -> npt.NDArray:
    wide, deep = rng.uniform(0.8, 0.95), rng.uniform(0.6, 0.75)
    picture = np.zeros_like(across)
    picture[_ellipse(across, down, 0, 0, wide, deep)] = rng.uniform(90, 130)
    picture[_ellipse(across, down, 0, 0, wide - 0.08, deep - 0.08)] = rng.uniform(140, 180)
    for side in (-1, 1):
        lung = _ellipse(across, down, side * 0.42 * wide, -0.02, 0.3 * wide, 0.72 * deep)
        picture[lung] = rng.uniform(20, 45)
        _add_vessels(picture, lung, across, down, rng)
    picture[_ellipse(across, down, 0.05, 0.05 - deep / 4, 0.22, 0.2)] = rng.uniform(150, 190)
    picture[_ellipse(across, down, 0, 0.62 * deep, 0.12, 0.12)] = rng.uniform(210, 250)
    return picture


def _radiograph(across: npt.NDArray, down: npt.NDArray, rng: np.random.Generator) -> npt.NDArray:
    picture = np.full_like(across, rng.uniform(150, 190)) - 60 * np.abs(across) ** 3
    for side in (-1, 1):
        lung = _ellipse(across, down, side * 0.42, -0.05, 0.3, rng.uniform(0.6, 0.7))
        picture[lung] = rng.uniform(50, 90)
        _add_vessels(picture, lung, across, down, rng)
        ribs = np.sin(22 * (down + 0.25 * across**2) + rng.uniform(0, 6)) > 0.6
        picture[lung & ribs] += 30
    picture[_ellipse(across, down, 0.15, 0.3, 0.32, 0.25)] = rng.uniform(170, 200)
    picture[down > 0.62 + 0.2 * across**2] = rng.uniform(180, 210)
    return picture


def _add_vessels(
    picture: npt.NDArray, lung: npt.NDArray, across: npt.NDArray, down: npt.NDArray, rng: np.random.Generator
) -> None:
    for _ in range(30):
        (x, y), size = rng.uniform(-0.75, 0.75, 2), rng.uniform(0.008, 0.03)
        picture[lung & _ellipse(across, down, x, y, size, size)] = rng.uniform(90, 160)


def _ellipse(
    across: npt.NDArray, down: npt.NDArray, x: float, y: float, width: float, height: float
) -> npt.NDArray[np.bool_]:
    return ((across - x) / width) ** 2 + ((down - y) / height) ** 2 < 1


def _smooth(picture: npt.NDArray, pixels: float) -> npt.NDArray:
    """Blurred by a Gaussian of that standard deviation."""
    frequency = np.fft.fftfreq(SIDE)
    kernel = np.exp(-2 * (np.pi * pixels * frequency) ** 2)
    return np.fft.ifft2(np.fft.fft2(picture) * np.outer(kernel, kernel)).real
