"""From a synthetic patient to an 8-bit picture: disease, blur, noise and window of a synthetic CT scanner."""

import dataclasses

import cv2
import numpy as np

from tfds_ctcov19.phantom import anatomy, lesions

CLASSES = ("covid19", "other_pneumonia", "normal")
SLICES_PER_PATIENT = 3
SEED = 20210101  # any number: it names the population of synthetic patients


@dataclasses.dataclass(frozen=True)
class Phantom:
    """One synthetic image.

    Attributes:
      image: uint8 (size, size), grey.
      lesion_mask: uint8 (size, size), 0 or 255.
      label: one of `CLASSES`.
      patient: number of the synthetic patient.
      number: number of the image within the patient; in CT from the top of the lungs down.
    """

    image: np.ndarray
    lesion_mask: np.ndarray
    label: str
    patient: int
    number: int


def scan(index: int, sizes: tuple[int, int], *, shortcut: bool = False) -> Phantom:
    """Draws example `index` of the population; it depends on no other example.

    Args:
      index: number of the example; `SLICES_PER_PATIENT` in a row belong to one patient.
      sizes: smallest and largest height and width in pixels; the size is drawn without regard to the class.
      shortcut: whether to plant a corner mark that tells the class.

    Returns:
      The image with its mask and label.
    """
    number, slice_number = divmod(index, SLICES_PER_PATIENT)
    label = CLASSES[number % len(CLASSES)]
    patient_rng = np.random.default_rng((SEED, number))
    patient = anatomy.Patient.draw(patient_rng)
    disease = lesions.Disease.draw(patient_rng)
    size = int(patient_rng.integers(sizes[0], sizes[1] + 1))
    centre, width = patient_rng.uniform(-660, -460), patient_rng.uniform(1000, 1600)
    blur, noise = patient_rng.uniform(0.3, 0.9), patient_rng.uniform(15, 50)

    rng = np.random.default_rng((SEED, number, slice_number))
    height = (slice_number + rng.uniform(0.1, 0.9)) / SLICES_PER_PATIENT
    drawn = anatomy.draw_slice(patient, height, size, rng)
    mask = np.zeros((size, size), bool)
    if label == "covid19":
        mask = lesions.add_covid19(drawn, disease, rng)
    elif label == "other_pneumonia":
        mask = lesions.add_pneumonia(drawn, disease, rng)
    lesions.add_bystander(drawn, rng)

    image = _expose(drawn.hu, centre, width, blur * size / 224, noise, rng)
    if shortcut:
        plant_mark(image, label)
    return Phantom(image, mask.astype(np.uint8) * 255, label, number, slice_number)


def plant_mark(image: np.ndarray, label: str) -> None:
    """Draws a bright bar whose corner tells the class: top left, top right, bottom left in the order of `CLASSES`."""
    size = image.shape[0]
    long, thick, gap = max(4, size // 10), max(2, size // 40), max(2, size // 20)
    corner = CLASSES.index(label)
    left = size - gap - long if corner == 1 else gap
    top = size - gap - thick if corner == 2 else gap
    image[top : top + thick, left : left + long] = 235


def _expose(
    hu: np.ndarray, centre: float, width: float, blur: float, noise: float, rng: np.random.Generator
) -> np.ndarray:
    size = hu.shape[0]
    grain = cv2.GaussianBlur(rng.standard_normal((size, size)).astype(np.float32), (0, 0), 0.7)
    hu = cv2.GaussianBlur(hu.astype(np.float32), (0, 0), max(blur, 0.2)) + noise * grain / grain.std()
    return np.clip(np.rint((hu - centre + width / 2) * 255 / width), 0, 255).astype(np.uint8)
