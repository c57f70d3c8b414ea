import pytest
import tensorflow_datasets as tfds

from ctcov_tf import modality


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("covid_ct/as_released:1.0.0", "CT"),
        ("ctcov19/grouped:1.0.0", "CT"),
        ("phantom/ct:2.0.0", "CT"),
        ("phantom/cxr_covid:2.0.0", "CXR"),
        ("covid_cxr/random:1.0.0", "CXR"),
        ("chexpert:3.1.0", "CXR"),
        ("TorchXRayVision/weights.pt", "CXR"),
        ("nothing:1.0.0", None),
        ("", None),
    ],
)
def test_datasets_are_known_by_name(name, expected):
    assert modality.of_dataset(name) == expected


def test_every_dataset_of_the_project_is_known():
    import tfds_ctcov19

    builders = [name.removesuffix("_dataset_builder") for name in tfds_ctcov19.__all__]
    names = [f"{name}/{config}" for name in builders for config in tfds.builder_cls(name).builder_configs or [""]]
    assert len(names) > 13
    assert [name for name in names if modality.of_dataset(name) is None] == []
