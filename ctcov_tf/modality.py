"""Which kind of image a model knows: chest CT or chest radiographs."""

from typing import Literal

Modality = Literal["CT", "CXR"]

NAMES: dict[Modality, str] = {"CT": "chest CT", "CXR": "chest radiographs"}
"""All images of a kind."""

ONE: dict[Modality, str] = {"CT": "a chest CT", "CXR": "a chest radiograph"}
"""One image of a kind."""

VIEWS: dict[Modality, str] = {"CT": "axial chest CT slices", "CXR": "frontal chest radiographs"}
"""What networks here take of it."""

_DATASETS: dict[str, Modality] = {
    "covid_ct": "CT",
    "ctcov19": "CT",
    "covid_ct_md": "CT",
    "mosmed": "CT",
    "ct_lesions": "CT",
    "siim_covid19": "CXR",
    "phantom/ct": "CT",
    "phantom/shortcut": "CT",
    "phantom/tiny": "CT",
    "phantom/cxr": "CXR",
    "phantom/cxr_tiny": "CXR",
    "phantom/cxr_covid": "CXR",
    "phantom/cxr_pneumonia": "CXR",
    "phantom/cxr_pneumonia_tiny": "CXR",
    "covid_cxr": "CXR",
    "chest_xray_pneumonia": "CXR",
    "chexpert": "CXR",
    "TorchXRayVision": "CXR",
}


def of_dataset(name: str) -> Modality | None:
    """What the images of a dataset are.

    Args:
      name: TFDS name, with or without config and version, or what stands in its place in a run's manifest.

    Returns:
      The modality; None of a dataset that is not known here.
    """
    unversioned = name.partition(":")[0]
    return _DATASETS.get(unversioned) or _DATASETS.get(unversioned.partition("/")[0])
