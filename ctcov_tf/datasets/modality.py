"""Which kind of picture a dataset holds."""

from typing import Literal

_BY_BEGINNING: dict[str, Literal["ct", "cxr"]] = {
    "phantom/cxr": "cxr",
    "phantom": "ct",
    "covid_ct": "ct",
    "ctcov19": "ct",
    "covid_cxr": "cxr",
    "chest_xray_pneumonia": "cxr",
    "chexpert": "cxr",
}
TITLES = {"ct": "axial chest CT slices", "cxr": "frontal chest radiographs"}


def modality(dataset: str) -> Literal["ct", "cxr"] | None:
    """Tells CT slices from radiographs.

    Args:
      dataset: TFDS name with config and version, as the manifest of a run has it.

    Returns:
      `ct`, `cxr`, or None for a dataset that is none of this project's.
    """
    return next((kind for beginning, kind in _BY_BEGINNING.items() if dataset.startswith(beginning)), None)
