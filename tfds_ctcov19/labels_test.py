import pathlib
import re

import pytest
import tensorflow_datasets as tfds

import tfds_ctcov19
from tfds_ctcov19 import labels

PROJECT = pathlib.Path(__file__).parent.parent
BUILDERS = [name.removesuffix("_dataset_builder") for name in tfds_ctcov19.__all__]
OF_PEOPLE = [name for name in BUILDERS if name != "phantom"]


def test_every_builder_of_images_of_people_is_in_the_table():
    assert set(labels.SOURCES) == {one.dataset for one in labels.LABELS} == set(OF_PEOPLE)


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_every_label_stands_for_a_common_one_and_the_metadata_say_so(name, tmp_path):
    info = tfds.builder(name, data_dir=tmp_path).info
    assert set(labels.stands_for(name)) == set(info.features["label"].names)
    assert set(labels.stands_for(name).values()) <= set(labels.COMMON)
    assert info.metadata["stands_for"] == labels.stands_for(name)


def test_a_dataset_is_known_with_config_and_version():
    assert labels.stands_for("mosmed/by_patient:1.0.0") == {"covid19": "covid19", "normal": "normal"}
    with pytest.raises(KeyError, match="elsewhere: in no table of labels: add it"):
        labels.stands_for("elsewhere")


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("mosmed", "covid_ct_md", ""),
        ("covid_cxr", "siim_covid19", ""),
        ("covid_ct", "ct_lesions", ""),
        ("mosmed", "siim_covid19", "mosmed is CT, siim_covid19 is CXR"),
        ("covid_cxr", "chest_xray_pneumonia", "of adults, chest_xray_pneumonia of children"),
    ],
)
def test_what_may_be_compared(one, other, reason):
    assert reason in labels.why_not_compared(one, other)
    assert bool(reason) == bool(labels.why_not_compared(one, other)) == bool(labels.why_not_compared(other, one))


def test_labels_that_share_nothing_are_not_compared(monkeypatch):
    alone = labels.Label("mosmed", "covid19", labels.UNKNOWN, ""), labels.Label("covid_ct", "x", labels.UNKNOWN, "")
    monkeypatch.setattr(labels, "LABELS", alone)
    assert "no label that stands for the same" in labels.why_not_compared("mosmed", "covid_ct")


def test_the_page_on_data_has_the_table_and_names_what_is_not_mixed():
    page = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    assert "\n".join(labels.as_markdown()) in page
    told = re.search(r"^- In ([^.]+?) the source tells the class", page.partition("What labels mean")[2], re.MULTILINE)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == {name for name, one in labels.SOURCES.items() if not one.mixed}
