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

    names = [
        f"{builder}/{config}"
        for builder in ("phantom", "covid_ct", "ctcov19", "covid_cxr", "chest_xray_pneumonia")
        for config in tfds.builder_cls(builder).builder_configs or [""]
    ]
    assert tfds_ctcov19
    assert len(names) > 10
    assert [name for name in names if modality.of_dataset(name) is None] == []
