import dataclasses
import gc
import itertools
import weakref

import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import config, errors, input_pipeline
from ctcov_tf.datasets import contents
from ctcov_tf.images.decode import decode_grey
from ctcov_tf.preprocessing.preprocess import Preprocess

SIZE = 32


@pytest.fixture(scope="module")
def labels(tiny_config):
    return contents.labels_of(tiny_config.data, "three_class")


def first_batches(dataset, count):
    return [(images.numpy(), targets.numpy()) for images, targets in dataset.take(count)]


def training(tiny_config, labels, **options):
    return input_pipeline.training_batches(tiny_config, labels, image_size=SIZE, batch_size=12, **options)


def assert_same(some, others):
    for (images, targets), (other_images, other_targets) in zip(some, others, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(targets, other_targets)


def test_evaluation_batches_hold_every_image_in_order(tiny_config, labels):
    batches = list(
        input_pipeline.evaluation_batches(
            tiny_config, labels, "test", image_size=SIZE, batch_size=10
        ).as_numpy_iterator()
    )
    assert [images.shape for images, _ in batches] == [(10, SIZE, SIZE, 3), (10, SIZE, SIZE, 3), (4, SIZE, SIZE, 3)]
    targets = np.concatenate([targets for _, targets in batches])
    assert targets.dtype == np.float32
    table = contents.metadata(tiny_config.data, "test")
    np.testing.assert_array_equal(targets.argmax(axis=-1), table["label"])


def test_binary_targets_mark_the_positive_class(tiny_config):
    data = dataclasses.replace(tiny_config.data, positive="normal")
    binary = contents.labels_of(data, "binary")
    batches = input_pipeline.evaluation_batches(dataclasses.replace(tiny_config, data=data), binary, "test")
    _, targets = next(batches.as_numpy_iterator())
    assert targets.shape == (24, 1)
    np.testing.assert_array_equal(targets[:, 0], contents.metadata(data, "test")["label"] == 2)


def test_evaluation_uses_the_configured_size_and_steps(tiny_config, labels):
    plain = dataclasses.replace(tiny_config, preprocess=config.PreprocessConfig(40, False, False, False))
    images, _ = next(input_pipeline.evaluation_batches(plain, labels, "test").as_numpy_iterator())
    assert images.shape[1:] == (40, 40, 3)
    assert images.min() >= 0
    assert images.max() <= 1


def test_evaluation_sees_what_an_exported_model_sees(tiny_config, labels):
    images, _ = next(input_pipeline.evaluation_batches(tiny_config, labels, "test", batch_size=24).as_numpy_iterator())
    serving = Preprocess.from_preprocess_config(tiny_config.preprocess)
    for image, example in zip(images, contents.examples(tiny_config.data, "test"), strict=True):
        levels = decode_grey(example["image"].numpy(), "image")
        np.testing.assert_allclose(image, serving(levels[np.newaxis, ..., np.newaxis])[0], atol=1e-4)


@pytest.mark.parametrize("cache", [True, False])
def test_an_epoch_depends_on_seed_and_number_alone(tiny_config, labels, cache):
    settings = dataclasses.replace(tiny_config, data=dataclasses.replace(tiny_config.data, cache=cache))
    whole = first_batches(training(settings, labels), 15)
    tf.random.set_seed(99)  # the program's own seed plays no part
    resumed = first_batches(training(settings, labels, start_epoch=2), 5)
    assert_same(whole[10:], resumed)


def test_cache_changes_nothing(tiny_config, labels):
    uncached = dataclasses.replace(tiny_config, data=dataclasses.replace(tiny_config.data, cache=False))
    assert_same(first_batches(training(tiny_config, labels), 5), first_batches(training(uncached, labels), 5))


def test_cached_images_are_decoded_once(tiny_config, labels, monkeypatch):
    decoded = []

    def counting(image_bytes, name):
        decoded.append(1)
        return decode_grey(image_bytes, name)

    monkeypatch.setattr(input_pipeline, "decode_grey", counting)
    first_batches(training(tiny_config, labels), 12)
    assert len(decoded) == 60


def test_images_leave_memory_with_the_dataset(tiny_config, labels, monkeypatch):
    made = []
    plain = input_pipeline.BatchMemory
    monkeypatch.setattr(input_pipeline, "BatchMemory", lambda *shape: made.append(plain(*shape)) or made[-1])
    batches = training(tiny_config, labels)
    first_batches(batches, 3)
    memory = weakref.ref(made.pop())
    assert memory() is not None
    del batches
    gc.collect()
    assert memory() is None


def test_batches_that_are_held_keep_their_content(tiny_config, labels):
    held = [images for images, _ in training(tiny_config, labels).take(20)]
    again = first_batches(training(tiny_config, labels), 20)
    for images, (expected, _) in zip(held, again, strict=True):
        np.testing.assert_array_equal(images, expected)


def test_epochs_seeds_and_images_differ(tiny_config, labels):
    images = np.concatenate([images for images, _ in first_batches(training(tiny_config, labels), 10)])
    reseeded = dataclasses.replace(tiny_config, train=dataclasses.replace(tiny_config.train, seed=7))
    others = np.concatenate([images for images, _ in first_batches(training(reseeded, labels), 5)])
    distinct = {image.tobytes() for image in itertools.chain(images, others)}
    assert len(distinct) == 180


def test_an_epoch_holds_every_image_once(tiny_config, labels):
    still = dataclasses.replace(tiny_config, augment=config.AugmentConfig(0.0, 0.0))
    trained = np.concatenate([images for images, _ in first_batches(training(still, labels), 5)])
    stored = input_pipeline.evaluation_batches(still, labels, "train", image_size=SIZE).as_numpy_iterator()
    expected = np.concatenate([images for images, _ in stored])
    assert sorted(image.tobytes() for image in trained) == sorted(image.tobytes() for image in expected)


def test_images_that_fill_no_batch_change_from_epoch_to_epoch(tiny_config, labels):
    still = dataclasses.replace(tiny_config, augment=config.AugmentConfig(0.0, 0.0))
    batches = input_pipeline.training_batches(still, labels, image_size=SIZE, batch_size=50)
    epochs = [{image.tobytes() for image in images} for images, _ in first_batches(batches, 2)]
    assert len(epochs[0]) == len(epochs[1]) == 50
    assert epochs[0] != epochs[1]


def test_a_batch_larger_than_the_data_is_refused(tiny_config, labels):
    with pytest.raises(errors.CtcovError, match="60 training images do not fill a batch of 61: lower --batch-size"):
        input_pipeline.training_batches(tiny_config, labels, image_size=SIZE, batch_size=61)


@pytest.mark.parametrize("cache", [True, False])
def test_a_damaged_image_is_named_before_training(faulty, cache):
    settings = faulty(damage=True)
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, cache=cache))
    labels = contents.labels_of(settings.data, "binary")
    with pytest.raises(errors.CtcovError, match="faulty, train: image train-1 cannot be decoded"):
        input_pipeline.training_batches(settings, labels, image_size=SIZE, batch_size=1)


def test_batches_carry_the_findings_of_their_images(tiny_config):
    data = dataclasses.replace(
        tiny_config.data, dataset="phantom/cxr_tiny", findings=("edema", "cardiomegaly"), positive="edema"
    )
    settings = dataclasses.replace(tiny_config, data=data)
    labels = contents.labels_of(data, "findings")
    batches = input_pipeline.evaluation_batches(settings, labels, "validation").as_numpy_iterator()
    found = np.concatenate([targets for _, targets in batches])
    expected = contents.finding_targets(contents.metadata(data, "validation"), data)
    np.testing.assert_array_equal(found, expected)
    assert {-1, 0, 1} == set(np.unique(found))


def test_likelihoods_stay_with_their_images(tiny_config):
    labels = contents.labels_of(tiny_config.data, "binary")
    images = len(contents.metadata(tiny_config.data, "train"))
    number = np.arange(images, dtype=np.float32)
    likelihoods = np.stack([number, number**2], axis=1)
    still = dataclasses.replace(tiny_config, augment=config.AugmentConfig(rotation_degrees=0, translation=0))
    plain = input_pipeline.evaluation_batches(still, labels, "train", image_size=32, batch_size=images)
    in_order, targets = next(plain.as_numpy_iterator())
    batches = input_pipeline.training_batches(still, labels, image_size=32, batch_size=12, likelihoods=likelihoods)
    for (batch, given), target in batches.take(images // 12).as_numpy_iterator():
        places = given[:, 0].astype(int)
        np.testing.assert_array_equal(given[:, 1], given[:, 0] ** 2)
        np.testing.assert_allclose(batch, in_order[places], atol=1e-5)
        np.testing.assert_array_equal(target, targets[places])


def test_the_draws_of_a_crop_leave_those_of_the_rest_alone(tiny_config, labels, monkeypatch):
    """Runs from before there were crops go on as they began."""
    seen = []
    monkeypatch.setattr(
        input_pipeline.augmentation, "augment", lambda image, draws, _: seen.append(tuple(draws.tolist())) or image
    )
    batch = 12
    steps = 60 // batch
    first_batches(training(tiny_config, labels), steps)
    seed = tf.random.experimental.stateless_fold_in(tf.stack([tiny_config.train.seed, 0]), 1)
    rigid = tf.random.stateless_uniform([steps, batch, 4], seed, -1.0, 1.0).numpy().reshape(-1, 4)
    assert {draws[:4] for draws in seen} >= {tuple(row) for row in rigid.tolist()}
    assert len({draws[4:] for draws in seen}) == len(seen)


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 2), (3, 6)])
def test_workers_and_devices_share_the_batches_of_one(tiny_config, labels, workers, replicas):
    """Together they see what one device sees: every image once an epoch, moved alike, in the same batches."""
    whole = first_batches(training(tiny_config, labels), 7)  # one epoch has five
    shares = [
        first_batches(
            training(tiny_config, labels, replicas=replicas, worker=worker, workers=workers), 7 * replicas // workers
        )
        for worker in range(workers)
    ]
    local = replicas // workers
    joined = [
        tuple(
            np.concatenate([share[step * local + part][field] for share in shares for part in range(local)])
            for field in (0, 1)
        )
        for step in range(7)
    ]
    assert_same(joined, whole)


def test_a_batch_that_has_no_equal_parts_is_refused(tiny_config, labels):
    with pytest.raises(errors.CtcovError, match=r"--batch-size 12: cannot be shared by 5 devices: .* multiple of 5"):
        training(tiny_config, labels, replicas=5, workers=5)


@pytest.mark.parametrize(
    ("targets", "expected"), [([[1.0], [0.0]], [3.0, 2.0]), ([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], [5.0, 2.0])]
)
def test_images_weigh_what_their_class_does(targets, expected):
    batches = tf.data.Dataset.from_tensors((tf.zeros((2, 4)), tf.constant(targets)))
    (*_, weights) = next(input_pipeline.weighted(batches, {0: 2.0, 1: 3.0, 2: 5.0}).as_numpy_iterator())
    np.testing.assert_array_equal(weights, expected)


def views_of(settings, count, **options):
    batches = input_pipeline.view_batches(settings, image_size=SIZE, batch_size=24, **options)
    return [tuple(map(np.asarray, views)) for (views,) in batches.take(count)]


def of_two_datasets(tiny_config, **augment):
    data = dataclasses.replace(tiny_config.data, also=("phantom/cxr_tiny",))
    return dataclasses.replace(tiny_config, data=data, augment=config.AugmentConfig(**augment))


@pytest.mark.parametrize("cache", [True, False])
def test_both_views_are_of_the_same_image_and_an_epoch_holds_the_images_of_all_datasets_once(tiny_config, cache):
    still = of_two_datasets(tiny_config, rotation_degrees=0.0, translation=0.0)
    still = dataclasses.replace(still, data=dataclasses.replace(still.data, cache=cache))
    pairs = views_of(still, 5)
    assert_same(pairs, [(view, view) for view, _ in pairs])
    stored = [
        image
        for data in contents.sources(still.data)
        for images, _ in input_pipeline.evaluation_batches(
            dataclasses.replace(still, data=data), contents.labels_of(data, "binary"), "train", image_size=SIZE
        ).as_numpy_iterator()
        for image in images
    ]
    seen = np.concatenate([view for view, _ in pairs])
    assert sorted(image.tobytes() for image in seen) == sorted(image.tobytes() for image in stored)


def test_views_are_augmented_apart_and_follow_from_seed_and_epoch(tiny_config, labels):
    settings = of_two_datasets(tiny_config, contrast=0.4, brightness=0.4)
    pairs = views_of(settings, 10)
    for view, other in pairs:
        assert all(one.tobytes() != two.tobytes() for one, two in zip(view, other, strict=True))
    assert_same(views_of(settings, 5, start_epoch=1), pairs[5:])
    means = np.concatenate([view for view, _ in pairs]).mean(axis=(1, 2, 3))
    assert 0.35 < np.abs(means).max() <= 0.4 + 1e-3, "brightness is changed behind the standardisation"


def test_views_that_fill_no_batch_are_refused(tiny_config):
    with pytest.raises(
        errors.CtcovError, match="phantom/tiny, phantom/cxr_tiny: 120 training images do not fill a batch of 121"
    ):
        input_pipeline.view_batches(of_two_datasets(tiny_config), image_size=SIZE, batch_size=121)


def test_a_damaged_image_of_another_dataset_is_named(tiny_config, faulty):
    settings = faulty(damage=True)
    data = dataclasses.replace(settings.data, dataset="faulty")
    with pytest.raises(errors.CtcovError, match="faulty, train: image train-1 cannot be decoded"):
        input_pipeline._stored([tiny_config.data, data], "train")
