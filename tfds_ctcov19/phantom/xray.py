"""From a synthetic patient to an 8-bit radiograph: findings, scatter, noise and exposure of a synthetic detector."""

from collections.abc import Sequence
import dataclasses

import cv2
import numpy as np

from tfds_ctcov19.phantom import body, findings, infections, opacities, radiograph, scanner

SEED = 20210102  # another population than the scanner's
CLASSES = scanner.CLASSES
PNEUMONIA_CLASSES = ("pneumonia", "normal")
PATIENTS, IMAGES = 5, 6  # of five patients in a row the last has two radiographs


@dataclasses.dataclass(frozen=True)
class Radiograph(scanner.Phantom):
    """One synthetic radiograph.

    Attributes:
      present: the findings that were drawn.
      findings: what the report says of each of `findings.FINDINGS`, one of `findings.STATES`.
    """

    present: frozenset[str]
    findings: tuple[str, ...]


def locate(index: int) -> tuple[int, int]:
    """Returns the patient's number from the first of the part on, and the number of the radiograph of that patient."""
    cycle, place = divmod(index, IMAGES)
    return cycle * PATIENTS + min(place, PATIENTS - 1), max(0, place - PATIENTS + 1)


def expose(
    index: int, sizes: tuple[int, int], *, classes: Sequence[str] = CLASSES, first_patient: int = 0
) -> Radiograph:
    """Draws radiograph `index` of a part of the population; it depends on no other.

    Args:
      index: number of the radiograph; `IMAGES` in a row belong to `PATIENTS` patients.
      sizes: smallest and largest height and width in pixels; the size is drawn without regard to the class.
      classes: the class names, `CLASSES` or `PNEUMONIA_CLASSES`; patients take them in turn. `pneumonia` is drawn as
        `other_pneumonia`.
      first_patient: number of the patient whose radiograph is index 0; parts of the population that lie apart share
        no patient.

    Returns:
      The image with its mask, label and findings.
    """
    order, number = locate(index)
    label, patient_number = classes[order % len(classes)], first_patient + order
    rng = np.random.default_rng((SEED, patient_number))
    size = int(rng.integers(sizes[0], sizes[1] + 1))
    disease = "other_pneumonia" if label == "pneumonia" else label
    present = findings.draw(disease, rng)
    illness = opacities.Illness.draw(rng)
    patient = body.Patient.draw(present, rng)

    rng = np.random.default_rng((SEED, patient_number, number))
    chest = radiograph.draw_chest(patient, body.View.draw(rng), size)
    mask = _add_opacities(chest, disease, present, patient, illness)
    opacities.add_circumstances(chest, rng)
    image = _develop(chest.density, rng)
    _mark_sides(image, rng)
    report = findings.record(present, np.random.default_rng((SEED, patient_number, number, 1)))
    return Radiograph(image, mask.astype(np.uint8) * 255, label, patient_number, number, present, report)


def _add_opacities(
    chest: radiograph.Chest,
    disease: str,
    present: frozenset[str],
    patient: body.Patient,
    illness: opacities.Illness,
) -> np.ndarray:
    """Lays the findings over the chest; returns the mask of the disease that makes the class."""
    rng = np.random.default_rng(illness.seed)
    opacities.add_scars(chest, rng)
    mask = np.zeros(chest.density.shape, bool)
    if "edema" in present:
        opacities.add_edema(chest, illness, rng)
    if disease == "covid19":
        mask = infections.add_covid19(chest, illness, "consolidation" in present, rng)
    elif disease == "other_pneumonia":
        mask = infections.add_pneumonia(chest, illness, "consolidation" in present, rng)
    if "atelectasis" in present:
        opacities.add_atelectasis(chest, patient.collapsed, rng)
    if "pleural_effusion" in present:
        opacities.add_effusion(chest, illness, rng)
    return mask


def _develop(density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turns density into grey: scattered rays, blur, noise, window and the curve of the detector."""
    size = len(density)
    veil = cv2.GaussianBlur(cv2.resize(density, (24, 24), interpolation=cv2.INTER_AREA), (0, 0), 2)
    scatter = rng.uniform(0.08, 0.22)
    density = (1 - scatter) * density + scatter * cv2.resize(veil, (size, size), interpolation=cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), 0.6)
    density = cv2.GaussianBlur(density, (0, 0), rng.uniform(0.3, 0.8) * size / 224) + rng.uniform(8, 30) * grain
    low, high = rng.uniform(-860, -720), rng.uniform(180, 330)
    grey = np.clip((density - low) / (high - low), 0, 1) ** np.float32(rng.uniform(0.75, 1.3))
    return np.rint(rng.uniform(225, 255) * grey).astype(np.uint8)


def _mark_sides(image: np.ndarray, rng: np.random.Generator) -> None:
    """Prints the letter of a side into an upper corner of some radiographs; it tells nothing else."""
    size = len(image)
    side, place = rng.choice(body.SIDES), rng.uniform((0.03, 0.10), (0.10, 0.22))
    if rng.random() < 0.7:
        column = place[0] if side == body.RIGHT else 1 - place[0] - 0.05
        where, text = (round(column * size), round(place[1] * size)), "R" if side == body.RIGHT else "L"
        cv2.putText(image, text, where, cv2.FONT_HERSHEY_SIMPLEX, size / 350, 245, max(1, size // 110), cv2.LINE_AA)
