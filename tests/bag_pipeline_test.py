import dataclasses
import functools

import numpy as np
import pytest

from ctcov_tf import bag_pipeline, errors, input_pipeline
from ctcov_tf.config import AugmentConfig, BaselineConfig, SmallCNNConfig
from ctcov_tf.datasets import contents

SIZE = 32
SLICES = 4


def changed(config, method="covnet", **data):
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, **data),
        preprocess=dataclasses.replace(config.preprocess, image_size=SIZE),
        model=BaselineConfig(method=method, slices=SLICES),
    )


@pytest.fixture(scope="module")
def settings(tiny_config):
    return changed(tiny_config)


@pytest.fixture(scope="module")
def labels(settings):
    return contents.labels_of(settings.data, "binary")


@pytest.fixture(scope="module")
def images(settings, labels):
    batches = input_pipeline.evaluation_batches(settings, labels, "validation")
    return np.concatenate([images for images, _ in batches.as_numpy_iterator()])


def first_batches(dataset, count):
    return [(images.numpy(), targets.numpy()) for images, targets in dataset.take(count)]


def test_groups_hold_every_image_once_in_the_order_of_their_names(settings):
    groups = bag_pipeline.groups_of(settings.data, "train")
    table = contents.metadata(settings.data, "train").reset_index(drop=True)
    assert sorted(groups.order) == list(range(len(table)))
    assert list(groups.names) == sorted(table["group_id"].unique())
    for name, start, count in zip(groups.names, groups.starts, groups.counts, strict=True):
        rows = groups.order[start : start + count]
        assert set(table["group_id"][rows]) == {name}
        assert len(rows) == (table["group_id"] == name).sum()
    assert bag_pipeline._natural("a/10.png") > bag_pipeline._natural("a/9.png")


@functools.cache
def shares(count):
    """Places of a bag's slices in a group, in the middle of even shares."""
    return [int((slot + 0.5) * count / SLICES) for slot in range(SLICES)]


def test_evaluation_bags_spread_over_every_group(settings, labels, images):
    groups = bag_pipeline.groups_of(settings.data, "validation")
    bags = first_batches(bag_pipeline.evaluation_bags(settings, labels, "validation", batch_size=5), 100)
    found = np.concatenate([one for one, _ in bags]).reshape(-1, SLICES, SIZE, SIZE, 3)
    targets = np.concatenate([one for _, one in bags])
    table = contents.metadata(settings.data, "validation").reset_index(drop=True)
    assert len(found) == len(targets) == len(groups.names)
    for number, (start, count) in enumerate(zip(groups.starts, groups.counts, strict=True)):
        rows = groups.order[start + np.array(shares(count))]
        np.testing.assert_array_equal(found[number], images[rows])
        assert targets[number, 0] == (table["label"][rows[0]] == labels.positive_index)


def test_the_channels_of_a_stack_are_neighbours(settings, labels, images):
    groups = bag_pipeline.groups_of(settings.data, "validation")
    stacked = changed(settings, "hybrid_3d")
    bags = first_batches(bag_pipeline.evaluation_bags(stacked, labels, "validation", batch_size=5), 100)
    found = np.concatenate([one for one, _ in bags]).reshape(-1, SLICES, SIZE, SIZE, 3)
    for number, (start, count) in enumerate(zip(groups.starts, groups.counts, strict=True)):
        for slot, middle in enumerate(shares(count)):
            for channel, place in enumerate((middle - 1, middle, middle + 1)):
                row = groups.order[start + np.clip(place, 0, count - 1)]
                np.testing.assert_array_equal(found[number, slot, :, :, channel], images[row, :, :, 0])


def test_an_epoch_of_training_holds_other_groups_in_each_bag(settings, labels):
    still = dataclasses.replace(settings, augment=AugmentConfig(0.0, 0.0))
    groups = bag_pipeline.groups_of(settings.data, "train")
    batch = 4
    steps = len(groups.names) // batch
    dataset = bag_pipeline.training_bags(still, labels, image_size=SIZE, batch_size=batch)
    epochs = first_batches(dataset, 2 * steps)
    assert all(images.shape == (batch * SLICES, SIZE, SIZE, 3) for images, _ in epochs)
    assert all(targets.shape == (batch, 1) for _, targets in epochs)
    stored = input_pipeline.evaluation_batches(still, labels, "train")
    place = {
        image.tobytes(): row for row, image in enumerate(np.concatenate([i for i, _ in stored.as_numpy_iterator()]))
    }
    group_of = {row: number for number in range(len(groups.names)) for row in _rows(groups, number)}
    seen = []
    for images, _ in epochs[:steps]:
        for bag in images.reshape(batch, SLICES, SIZE, SIZE, 3):
            (group,) = {group_of[place[image.tobytes()]] for image in bag}
            seen.append(group)
    assert len(set(seen)) == len(seen) == steps * batch


def _rows(groups, number):
    return groups.order[groups.starts[number] : groups.starts[number] + groups.counts[number]].tolist()


def test_an_epoch_depends_on_seed_and_number_alone(settings, labels):
    steps = len(bag_pipeline.groups_of(settings.data, "train").names) // 4
    options = {"image_size": SIZE, "batch_size": 4}
    whole = first_batches(bag_pipeline.training_bags(settings, labels, **options), 2 * steps)
    resumed = first_batches(bag_pipeline.training_bags(settings, labels, start_epoch=1, **options), steps)
    for (images, targets), (others, other_targets) in zip(whole[steps:], resumed, strict=True):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(targets, other_targets)
    assert not np.array_equal(whole[0][0], whole[steps][0])


def test_single_images_where_there_are_no_bags(settings):
    assert bag_pipeline.slices_of(settings) == SLICES
    assert bag_pipeline.slices_of(dataclasses.replace(settings, model=BaselineConfig(method="covnet"))) == 1
    assert bag_pipeline.slices_of(dataclasses.replace(settings, model=SmallCNNConfig())) == 1


def test_what_cannot_be_bagged_is_said(settings, labels):
    with pytest.raises(errors.CtcovError, match="leave out --no-cache, or choose --slices 1"):
        bag_pipeline.evaluation_bags(changed(settings, cache=False), labels, "validation")
    with pytest.raises(errors.CtcovError, match="training groups do not fill a batch of 999"):
        bag_pipeline.training_bags(settings, labels, image_size=SIZE, batch_size=999)
