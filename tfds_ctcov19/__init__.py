"""TFDS builders; importing this package registers them for `tfds.load` and `tfds build --imports tfds_ctcov19`."""

from tfds_ctcov19.chest_xray_pneumonia import chest_xray_pneumonia_dataset_builder
from tfds_ctcov19.covid_ct import covid_ct_dataset_builder
from tfds_ctcov19.covid_ct_md import covid_ct_md_dataset_builder
from tfds_ctcov19.covid_cxr import covid_cxr_dataset_builder
from tfds_ctcov19.ct_lesions import ct_lesions_dataset_builder
from tfds_ctcov19.ctcov19 import ctcov19_dataset_builder
from tfds_ctcov19.mosmed import mosmed_dataset_builder
from tfds_ctcov19.phantom import phantom_dataset_builder
from tfds_ctcov19.siim_covid19 import siim_covid19_dataset_builder

__all__ = [
    "chest_xray_pneumonia_dataset_builder",
    "covid_ct_dataset_builder",
    "covid_ct_md_dataset_builder",
    "covid_cxr_dataset_builder",
    "ct_lesions_dataset_builder",
    "ctcov19_dataset_builder",
    "mosmed_dataset_builder",
    "phantom_dataset_builder",
    "siim_covid19_dataset_builder",
]
