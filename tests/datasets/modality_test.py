import pytest

from ctcov_tf.datasets.modality import modality
import tfds_ctcov19


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("phantom/ct:1.0.0", "ct"),
        ("phantom/cxr_tiny:1.0.0", "cxr"),
        ("covid_ct/conflicts_dropped:1.0.0", "ct"),
        ("covid_cxr/by_patient:1.0.0", "cxr"),
        ("chexpert:3.1.0", "cxr"),
        ("somebody_elses", None),
    ],
)
def test_tells_slices_from_radiographs(dataset, expected):
    assert modality(dataset) == expected


def test_knows_every_builder_of_the_project():
    for module in tfds_ctcov19.__all__:
        assert modality(module.removesuffix("_dataset_builder")) is not None
