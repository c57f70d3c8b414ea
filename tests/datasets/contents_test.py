import dataclasses

import numpy as np
import pandas as pd
import pytest

from ctcov_tf import config, errors
from ctcov_tf.datasets import contents
from ctcov_tf.images import decode


def test_metadata_is_in_the_order_of_the_examples(tiny_config):
    table = contents.metadata(tiny_config.data, "validation")
    stored = list(contents.examples(tiny_config.data, "validation").as_numpy_iterator())
    assert list(table["image_id"]) == [example["image_id"].decode() for example in stored]
    assert list(table["label"]) == [example["label"] for example in stored]
    assert "image" not in table
    assert "lesion_mask" not in table
    assert len(table) == 24


def test_examples_carry_the_encoded_files(tiny_config):
    example = next(contents.examples(tiny_config.data, "test").as_numpy_iterator())
    assert decode.decode_rgb(example["image"], "image").shape == (example["height"], example["width"], 3)
    assert decode.decode_rgb(example["lesion_mask"], "mask").shape == (example["height"], example["width"], 3)


def test_manifest_counts_and_hashes(tiny_config):
    manifest = contents.manifest(tiny_config.data)
    assert manifest["name"] == "phantom/tiny:1.0.0"
    assert manifest["classes"] == ["covid19", "other_pneumonia", "normal"]
    assert {split: part["images"] for split, part in manifest["splits"].items()} == {
        "train": 60,
        "validation": 24,
        "test": 24,
    }
    for part in manifest["splits"].values():
        assert sum(part["by_class"].values()) == part["images"]
    assert manifest == contents.manifest(tiny_config.data)
    assert len(manifest["sha256"]) == 64


@pytest.mark.parametrize("dataset", ["phantom/nothing", "nothing", "phantom/tiny:9.0.0"])
def test_an_unknown_dataset_is_named_with_the_known(dataset):
    with pytest.raises(errors.CtcovError, match=f"unknown dataset {dataset}: choose one of .*phantom") as caught:
        contents.labels_of(config.DataConfig(dataset=dataset), "binary")
    assert "\n" not in str(caught.value)


def test_an_unbuilt_dataset_gives_the_command(tmp_path):
    command = f"tfds build phantom/tiny --imports tfds_ctcov19 --data_dir {tmp_path}"
    with pytest.raises(errors.CtcovError, match=command):
        contents.manifest(config.DataConfig(dataset="phantom/tiny", data_dir=str(tmp_path)))


def test_an_unknown_split_is_named_with_the_known(tiny_config):
    with pytest.raises(errors.CtcovError, match=r"no split holdout: choose .*validation"):
        contents.metadata(tiny_config.data, "holdout")


def test_a_group_in_two_splits_is_refused(faulty):
    settings = faulty(groups=("a", "b", "a"))
    with pytest.raises(errors.CtcovError, match="group a stands in train and in test"):
        contents.metadata(settings.data, "train")


def test_a_dataset_may_declare_that_groups_are_not_disjoint(faulty):
    settings = faulty(groups=("a", "b", "a"), info_metadata={"groups_disjoint": False, "reason": "no patient is known"})
    with pytest.warns(UserWarning, match="no patient is known"):
        assert len(contents.metadata(settings.data, "train")) == 2


def findings_data(tiny_config, **changes):
    return dataclasses.replace(tiny_config.data, dataset="phantom/cxr_tiny", positive="pneumonia", **changes)


def test_findings_become_targets_by_policy(tiny_config):
    table = pd.DataFrame({"finding_edema": [1, 0, -1, -2], "finding_pneumonia": [-2, -1, 0, 1]})
    data = findings_data(tiny_config, findings=("edema", "pneumonia"))
    masked = contents.finding_targets(table, data)
    np.testing.assert_array_equal(masked, [[1, 0], [0, -1], [-1, 0], [0, 1]])
    policy = dataclasses.replace(data, uncertain="ones", unmentioned="ignore")
    np.testing.assert_array_equal(contents.finding_targets(table, policy), [[1, -1], [0, 1], [1, 0], [-1, 1]])
    zeros = dataclasses.replace(data, uncertain="zeros")
    np.testing.assert_array_equal(contents.finding_targets(table, zeros), [[1, 0], [0, 0], [0, 0], [0, 1]])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"findings": ("edema", "gout"), "positive": "edema"},
            "finding 'gout' is not in the dataset, which records at",
        ),
        ({"findings": ()}, "--findings is empty"),
        ({"findings": ("edema",)}, "--positive pneumonia: is none of the findings: choose it from edema"),
        ({"dataset": "phantom/tiny"}, "records no findings: choose"),
    ],
)
def test_findings_that_cannot_be_learnt_are_refused(tiny_config, changes, fault):
    data = dataclasses.replace(findings_data(tiny_config), **changes)
    with pytest.raises(errors.CtcovError, match=fault):
        contents.labels_of(data, "findings")


def test_a_head_of_other_classes_is_refused(tiny_config):
    with pytest.raises(errors.CtcovError, match="head two_class needs 2 classes, the dataset has covid19, other_p"):
        contents.labels_of(tiny_config.data, "two_class")


def test_findings_are_part_of_the_manifest(tiny_config):
    data = findings_data(tiny_config)
    manifest = contents.manifest(data)
    table = contents.metadata(data, "train")
    assert manifest["splits"]["train"]["by_finding"]["edema"] == int((table["finding_edema"] == 1).sum()) > 0
    assert "by_finding" not in contents.manifest(tiny_config.data)["splits"]["train"]


def test_the_manifest_lists_what_each_dataset_is(tiny_config):
    several = dataclasses.replace(tiny_config.data, also=("phantom/cxr_tiny",))
    found = contents.manifest(several)
    other = dataclasses.replace(tiny_config.data, dataset="phantom/cxr_tiny")
    assert found.pop("also") == [contents.manifest(other)]
    assert found == contents.manifest(tiny_config.data)
    assert "also" not in found
