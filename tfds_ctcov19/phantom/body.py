"""The person and the pose behind a synthetic chest radiograph.

Body coordinates: x to the right of the picture (the patient's left), y down, 0 between the hila; half the width of
the chest is 1.
"""

from collections.abc import Set
import dataclasses
import math

import numpy as np

from tfds_ctcov19.phantom.anatomy import LEFT, RIGHT

CAVITY = 0.86  # half the inner width of the chest at its widest
SIDES = (RIGHT, LEFT)


@dataclasses.dataclass(frozen=True)
class Patient:
    """What all radiographs of one synthetic person share.

    Attributes:
      cardiothoracic: width of the heart over the inner width of the chest, below 0.5 unless there is cardiomegaly.
      raised: by how much the right and the left dome of the diaphragm stand higher than usual, body units.
      shift: how far the heart and the windpipe are drawn to the right of the picture, body units.
      height: length of the lungs over the usual one.
      lung: mean density of a ray through a lung.
      fat: density that the chest wall adds.
      breasts: density that the breasts add.
      aorta: radius of the aortic knob, body units.
      scoliosis: sideways bend of the spine, body units.
      vessels: number of vessels drawn in each lung.
      seed: of the outlines that are the same in every radiograph of the person.
    """

    cardiothoracic: float
    raised: tuple[float, float]
    shift: float
    height: float
    lung: float
    fat: float
    breasts: float
    aorta: float
    scoliosis: float
    vessels: int
    seed: int

    @classmethod
    def draw(cls, present: Set[str], rng: np.random.Generator) -> "Patient":
        """Draws a patient; of the findings only `cardiomegaly` and `atelectasis` move the anatomy."""
        heart, loss, collapsed = rng.uniform(), rng.uniform(0.13, 0.24), int(rng.integers(2))
        raised = rng.normal(0, 0.02, 2) + np.array((0.0, -0.04))
        shift = rng.normal(0, 0.02)
        if "atelectasis" in present:  # the lung has lost volume: the diaphragm rises, the heart moves over
            raised[collapsed] += loss
            shift += 0.25 * loss * SIDES[collapsed]
        return cls(
            cardiothoracic=0.55 + 0.13 * heart if "cardiomegaly" in present else 0.38 + 0.10 * heart,
            raised=(float(raised[0]), float(raised[1])),
            shift=float(shift),
            height=rng.uniform(0.92, 1.08),
            lung=rng.uniform(-740, -560),
            fat=rng.uniform(0, 90),
            breasts=rng.choice((0.0, 1.0)) * rng.uniform(40, 130),
            aorta=rng.uniform(0.09, 0.14),
            scoliosis=rng.normal(0, 0.02),
            vessels=int(rng.integers(6, 10)),
            seed=int(rng.integers(2**31)),
        )

    @property
    def collapsed(self) -> int:
        """The side whose diaphragm stands higher than it should: where the plates of an atelectasis lie."""
        return RIGHT if self.raised[0] > self.raised[1] + 0.04 else LEFT


@dataclasses.dataclass(frozen=True)
class View:
    """How the patient stood for one radiograph.

    Attributes:
      rotation: degrees in the plane of the picture.
      right: shift in the plane of the picture, share of it.
      down: the same.
      half_width: half the width of the chest as a share of the picture.
      diaphragm: top of the right dome in body units: the larger, the deeper the breath.
      turn: how far the breastbone stands beside the spine because the body is turned, body units.
    """

    rotation: float
    right: float
    down: float
    half_width: float
    diaphragm: float
    turn: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "View":
        """Draws a pose; nothing here depends on the diagnosis."""
        return cls(
            rotation=rng.normal(0, 2.5),
            right=rng.normal(0, 0.012),
            down=0.04 + rng.normal(0, 0.015),
            half_width=rng.uniform(0.375, 0.445),
            diaphragm=rng.uniform(0.44, 0.64),
            turn=rng.normal(0, 0.02),
        )

    def grid(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the body coordinates x and y of every pixel, float32 (size, size)."""
        rows, columns = np.indices((size, size), np.float32) / size - np.float32(0.5)
        columns, rows = (columns - self.right) / self.half_width, (rows - self.down) / self.half_width
        cos, sin = math.cos(math.radians(self.rotation)), math.sin(math.radians(self.rotation))
        return cos * columns + sin * rows, cos * rows - sin * columns


def wall(y: np.ndarray | float, height: float) -> np.ndarray:
    """Half the inner width of the chest at a height, body units: an arch above y 0.35, straight below."""
    rise = np.clip((0.35 - np.asarray(y)) / (1.32 * height), 0, 1)
    return 0.36 + (CAVITY - 0.36) * (1 - rise**2.4) ** (1 / 2.4)
