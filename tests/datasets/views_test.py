import dataclasses

import numpy as np
import pytest

from ctcov_tf import errors, input_pipeline
from ctcov_tf.datasets import contents, views
from ctcov_tf.images import decode


@pytest.fixture(scope="module")
def data(tiny_config):
    return dataclasses.replace(tiny_config.data, dataset="phantom/cxr_pneumonia_tiny", positive="pneumonia")


def folds(data, count):
    return [dataclasses.replace(data, fold=f"{number}/{count}") for number in range(1, count + 1)]


def test_folds_divide_training_and_validation_images(data):
    pool = {name for split in ("train", "validation") for name in contents.metadata(data, split)["image_id"]}
    held_out = [set(contents.metadata(fold, "validation")["image_id"]) for fold in folds(data, 3)]
    assert sum(map(len, held_out)) == len(pool)
    assert set.union(*held_out) == pool
    for fold, out in zip(folds(data, 3), held_out, strict=True):
        train = contents.metadata(fold, "train")
        assert set(train["image_id"]) == pool - out
        assert not set(train["group_id"]) & set(contents.metadata(fold, "validation")["group_id"])


def test_folds_hold_about_the_share_of_every_class(data):
    shares = [contents.metadata(fold, "validation")["label"].mean() for fold in folds(data, 3)]
    assert np.ptp(shares) < 0.25


def test_a_fold_leaves_the_test_part_alone_and_is_another_dataset(data):
    (fold, other), plain = folds(data, 2), contents.manifest(data)
    assert contents.metadata(fold, "test").equals(contents.metadata(data, "test"))
    first, second = contents.manifest(fold), contents.manifest(other)
    assert first["splits"]["test"] == plain["splits"]["test"]
    assert first["name"] == plain["name"]
    assert len({first["sha256"], second["sha256"], plain["sha256"]}) == 3


@pytest.mark.parametrize("task", ["label", "rotation"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_metadata_is_in_the_order_of_the_examples(data, split, task):
    seen = dataclasses.replace(data, fold="2/3", task=task)
    stored = list(contents.examples(seen, split).as_numpy_iterator())
    table = contents.metadata(seen, split)
    assert list(table["image_id"]) == [example["image_id"].decode() for example in stored]
    assert list(table["group_id"]) == [example["group_id"].decode() for example in stored]
    assert list(table["label"]) == [example["label"] for example in stored]


@pytest.mark.parametrize("fold", ["3", "0/3", "4/3", "1/1", "a/b"])
def test_no_part_of_a_cross_validation_is_refused(data, fold):
    with pytest.raises(errors.CtcovError, match=rf"--fold {fold}: is no part of a cross-validation: write it as 1/5"):
        contents.metadata(dataclasses.replace(data, fold=fold), "train")


def test_more_folds_than_groups_are_refused(data):
    with pytest.raises(errors.CtcovError, match=r"groups to divide: choose fewer folds"):
        contents.metadata(dataclasses.replace(data, fold="1/999"), "train")


def test_rotation_turns_every_image_four_times(data):
    seen = dataclasses.replace(data, task="rotation", positive="upright")
    plain = next(contents.examples(data, "test").as_numpy_iterator())
    turned = list(contents.examples(seen, "test").take(4).as_numpy_iterator())
    grey = decode.decode_grey(plain["image"], "image")
    for turn, example in enumerate(turned):
        np.testing.assert_array_equal(decode.decode_grey(example["image"], "image"), np.rot90(grey, turn))
        assert example["label"] == turn
        assert example["group_id"] == plain["group_id"]
    assert "lesion_mask" not in turned[0]
    assert len(contents.metadata(seen, "test")) == 4 * len(contents.metadata(data, "test"))
    labels = contents.labels_of(seen, "four_class")
    assert labels.outputs == views.TURNS
    manifest = contents.manifest(seen)
    assert set(manifest["splits"]["train"]["by_class"].values()) == {len(contents.metadata(data, "train"))}


def test_rotation_becomes_batches(tiny_config, data):
    config = dataclasses.replace(tiny_config, data=dataclasses.replace(data, task="rotation", positive="upright"))
    labels = contents.labels_of(config.data, "four_class")
    images, targets = next(iter(input_pipeline.evaluation_batches(config, labels, "validation", image_size=32)))
    np.testing.assert_array_equal(targets[:8], np.tile(np.eye(4), (2, 1)))
    np.testing.assert_allclose(np.rot90(images[0]), images[1], atol=0.2)
