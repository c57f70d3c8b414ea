"""Ribs, collar bones, shoulder blades, spine and windpipe of a synthetic chest radiograph."""

import numpy as np

from tfds_ctcov19.phantom import body, pen

RIB, CLAVICLE, BLADE, VERTEBRA, WINDPIPE = 130.0, 170.0, 55.0, 90.0, -190.0  # density added along the ray
RIBS = 10  # in view on each side
_BLADE = np.array([0.80 - 0.80j, 1.12 - 0.72j, 0.98 - 0.20j, 0.90 + 0.02j, 0.84 - 0.12j])  # left shoulder blade
_BLOCK = np.array([-0.1 - 0.068j, 0.1 - 0.068j, 0.085, 0.1 + 0.068j, -0.1 + 0.068j, -0.085])  # vertebra


def draw_bones(density: np.ndarray, patient: body.Patient, view: body.View, rng: np.random.Generator) -> None:
    """Adds bones and the windpipe to a chest.

    Args:
      density: float32 (size, size), mean density along the ray; changes in place.
      patient: the person.
      view: the pose.
      rng: randomness of this person's outlines.
    """
    back, front, collar, blade, spine, pipe = (pen.Layer(view, len(density)) for _ in range(6))
    _draw_ribs(back, front, patient, rng)
    t = np.linspace(0, 1, 12)
    for side in body.SIDES:
        drop = -0.72 - (0.15 + rng.normal(0, 0.03)) * t + 0.045 * np.sin(2 * np.pi * t)
        collar.tube(side * (0.09 + 0.92 * t) + view.turn + 1j * drop, 0.065)
        blade.area(side * _BLADE.real + 1j * _BLADE.imag)
        blade.dot(complex(side * 1.17, -0.82), 0.11)
    for level in np.arange(-1.3, 1.25, 0.165):
        centre = complex(patient.scoliosis * np.sin(2.5 * level), level)
        spine.area(_BLOCK + centre, 200)
        spine.dot(centre + 0.03j, 0.022)
    middle = 0.6 * patient.shift + 0.5 * view.turn
    carina = middle - 0.30j
    pipe.line(np.array([0.3 * middle - 1.3j, middle - 0.7j, carina]), 0.085)
    pipe.line(np.array([carina, carina - 0.17 + 0.15j]), 0.055)
    pipe.line(np.array([carina, carina + 0.20 + 0.17j]), 0.05)

    air = 1 - 0.55 * np.clip((density + 450) / 400, 0, 1)  # a rib is seen best over a lung
    back.add_to(density, RIB, air)
    front.add_to(density, 0.6 * RIB, air)
    collar.add_to(density, CLAVICLE)
    blade.add_to(density, BLADE, blur=0.02)
    spine.add_to(density, VERTEBRA)
    pipe.add_to(density, WINDPIPE)


def _draw_ribs(back: pen.Layer, front: pen.Layer, patient: body.Patient, rng: np.random.Generator) -> None:
    """Draws each rib from the spine to the wall, arched, and from there, steeper, to where its cartilage begins."""
    spacing, slope, sag = rng.uniform(0.165, 0.19), rng.uniform(0.10, 0.22), rng.uniform(0.28, 0.42)
    t = np.linspace(0, 1, 12)
    bow, fall = np.sin(np.pi * t), slope * t**1.5
    tops = -1.0 * patient.height + spacing * np.arange(RIBS) + rng.normal(0, 0.006, (2, RIBS))
    edges = body.wall(tops + slope, patient.height) + 0.03
    for side, of_side, walls in zip(body.SIDES, tops, edges, strict=True):
        for rib, (top, edge) in enumerate(zip(of_side, walls, strict=True)):
            width = 0.052 + 0.012 * np.sin(np.pi * rib / RIBS)
            arch = top + fall - 0.07 * bow * (1.4 if rib < 2 else 1.0)
            back.tube(side * (0.10 + t * (edge - 0.10)) + 1j * arch, width)
            end = 0.30 + 0.04 * rib
            if end < edge - 0.1:
                front.tube(side * (edge - t * (edge - end)) + 1j * (arch[-1] + 0.04 * bow + sag * t**1.3), 1.15 * width)
