import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from ctcov_tf import config, errors, input_pipeline
from ctcov_tf.images import decode
from ctcov_tf.preprocessing.decode import decode_grey

SIZE = 32


@pytest.fixture(scope="module")
def labels(tiny_config):
    return input_pipeline.labels_of(tiny_config.data, "three_class")


def first_batches(dataset, count):
    return [(images.numpy(), targets.numpy()) for images, targets in dataset.take(count)]


def training(tiny_config, labels, **options):
    return input_pipeline.training_batches(tiny_config, labels, image_size=SIZE, batch_size=12, **options)


def assert_same(some, others):
    for (images, targets), (other_images, other_targets) in zip(some, others, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(targets, other_targets)


def test_metadata_is_in_the_order_of_the_examples(tiny_config):
    table = input_pipeline.metadata(tiny_config.data, "validation")
    stored = list(input_pipeline.examples(tiny_config.data, "validation").as_numpy_iterator())
    assert list(table["image_id"]) == [example["image_id"].decode() for example in stored]
    assert list(table["label"]) == [example["label"] for example in stored]
    assert "image" not in table
    assert "lesion_mask" not in table
    assert len(table) == 24


def test_examples_carry_the_encoded_files(tiny_config):
    example = next(input_pipeline.examples(tiny_config.data, "test").as_numpy_iterator())
    assert decode.decode_rgb(example["image"], "image").shape == (example["height"], example["width"], 3)
    assert decode.decode_rgb(example["lesion_mask"], "mask").shape == (example["height"], example["width"], 3)


def test_manifest_counts_and_hashes(tiny_config):
    manifest = input_pipeline.manifest(tiny_config.data)
    assert manifest["name"] == "phantom/tiny:1.0.0"
    assert manifest["classes"] == ["covid19", "other_pneumonia", "normal"]
    assert {split: part["images"] for split, part in manifest["splits"].items()} == {
        "train": 60,
        "validation": 24,
        "test": 24,
    }
    for part in manifest["splits"].values():
        assert sum(part["by_class"].values()) == part["images"]
    assert manifest == input_pipeline.manifest(tiny_config.data)
    assert len(manifest["sha256"]) == 64


def test_evaluation_batches_hold_every_image_in_order(tiny_config, labels):
    batches = list(
        input_pipeline.evaluation_batches(
            tiny_config, labels, "test", image_size=SIZE, batch_size=10
        ).as_numpy_iterator()
    )
    assert [images.shape for images, _ in batches] == [(10, SIZE, SIZE, 3), (10, SIZE, SIZE, 3), (4, SIZE, SIZE, 3)]
    targets = np.concatenate([targets for _, targets in batches])
    assert targets.dtype == np.float32
    table = input_pipeline.metadata(tiny_config.data, "test")
    np.testing.assert_array_equal(targets.argmax(axis=-1), table["label"])


def test_binary_targets_mark_the_positive_class(tiny_config):
    data = dataclasses.replace(tiny_config.data, positive="normal")
    binary = input_pipeline.labels_of(data, "binary")
    batches = input_pipeline.evaluation_batches(dataclasses.replace(tiny_config, data=data), binary, "test")
    _, targets = next(batches.as_numpy_iterator())
    assert targets.shape == (24, 1)
    np.testing.assert_array_equal(targets[:, 0], input_pipeline.metadata(data, "test")["label"] == 2)


def test_evaluation_uses_the_configured_size_and_steps(tiny_config, labels):
    plain = dataclasses.replace(tiny_config, preprocess=config.PreprocessConfig(40, False, False, False))
    images, _ = next(input_pipeline.evaluation_batches(plain, labels, "test").as_numpy_iterator())
    assert images.shape[1:] == (40, 40, 3)
    assert images.min() >= 0
    assert images.max() <= 1


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

    def counting(image_bytes):
        counted = tf.numpy_function(lambda data: decoded.append(1) or data, [image_bytes], tf.string)
        return decode_grey(tf.ensure_shape(counted, ()))

    monkeypatch.setattr(input_pipeline, "decode_grey", counting)
    first_batches(training(tiny_config, labels), 12)
    assert len(decoded) == 60


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


@pytest.mark.parametrize("dataset", ["phantom/nothing", "nothing", "phantom/tiny:9.0.0"])
def test_an_unknown_dataset_is_named_with_the_known(dataset):
    with pytest.raises(errors.CtcovError, match=f"unknown dataset {dataset}: choose one of .*phantom") as caught:
        input_pipeline.labels_of(config.DataConfig(dataset=dataset), "binary")
    assert "\n" not in str(caught.value)


def test_an_unbuilt_dataset_gives_the_command(tmp_path):
    command = f"tfds build phantom/tiny --imports tfds_ctcov19 --data_dir {tmp_path}"
    with pytest.raises(errors.CtcovError, match=command):
        input_pipeline.manifest(config.DataConfig(dataset="phantom/tiny", data_dir=str(tmp_path)))


def test_an_unknown_split_is_named_with_the_known(tiny_config):
    with pytest.raises(errors.CtcovError, match=r"no split holdout: choose .*validation"):
        input_pipeline.metadata(tiny_config.data, "holdout")


class Faulty(tfds.core.GeneratorBasedBuilder):
    """Two images a split, as a test wants them broken."""

    VERSION = tfds.core.Version("1.0.0")
    groups = ("a", "b", "c")
    damage = False
    info_metadata: dict | None = None

    def _info(self):
        texts = dict.fromkeys(("image_id", "group_id"), tfds.features.Text())
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["covid19"]),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({**features, **texts}),
            metadata=tfds.core.MetadataDict(self.info_metadata or {}),
        )

    def _split_generators(self, dl_manager):
        splits = zip(("train", "validation", "test"), self.groups, strict=True)
        return {split: self._generate_examples(split, group) for split, group in splits}

    def _generate_examples(self, split, group):
        png = tf.io.encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1)).numpy()
        for number in range(2):
            image = png[:-20] if self.damage and number else png
            example = {"image": image, "label": 0, "image_id": f"{split}-{number}", "group_id": group}
            yield number, example


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    def build(**attributes):
        for name, value in attributes.items():
            monkeypatch.setattr(Faulty, name, value)
        builder = Faulty(data_dir=tmp_path)
        builder.download_and_prepare()
        return config.Config(data=config.DataConfig(dataset="faulty", data_dir=str(tmp_path)))

    return build


def test_a_group_in_two_splits_is_refused(faulty):
    settings = faulty(groups=("a", "b", "a"))
    with pytest.raises(errors.CtcovError, match="group a stands in train and in test"):
        input_pipeline.metadata(settings.data, "train")


def test_a_dataset_may_declare_that_groups_are_not_disjoint(faulty):
    settings = faulty(groups=("a", "b", "a"), info_metadata={"groups_disjoint": False, "reason": "no patient is known"})
    with pytest.warns(UserWarning, match="no patient is known"):
        assert len(input_pipeline.metadata(settings.data, "train")) == 2


@pytest.mark.parametrize("cache", [True, False])
def test_a_damaged_image_is_named_before_training(faulty, cache):
    settings = faulty(damage=True)
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, cache=cache))
    labels = input_pipeline.labels_of(settings.data, "binary")
    with pytest.raises(errors.CtcovError, match="faulty, train: image train-1 cannot be decoded"):
        input_pipeline.training_batches(settings, labels, image_size=SIZE, batch_size=1)


def findings_data(tiny_config, **changes):
    return dataclasses.replace(tiny_config.data, dataset="phantom/cxr_tiny", positive="pneumonia", **changes)


def test_findings_become_targets_by_policy(tiny_config):
    table = pd.DataFrame({"finding_edema": [1, 0, -1, -2], "finding_pneumonia": [-2, -1, 0, 1]})
    data = findings_data(tiny_config, findings=("edema", "pneumonia"))
    masked = input_pipeline.finding_targets(table, data)
    np.testing.assert_array_equal(masked, [[1, 0], [0, -1], [-1, 0], [0, 1]])
    policy = dataclasses.replace(data, uncertain="ones", unmentioned="ignore")
    np.testing.assert_array_equal(input_pipeline.finding_targets(table, policy), [[1, -1], [0, 1], [1, 0], [-1, 1]])
    zeros = dataclasses.replace(data, uncertain="zeros")
    np.testing.assert_array_equal(input_pipeline.finding_targets(table, zeros), [[1, 0], [0, 0], [0, 0], [0, 1]])


def test_batches_carry_the_findings_of_their_images(tiny_config):
    data = dataclasses.replace(findings_data(tiny_config), findings=("edema", "cardiomegaly"), positive="edema")
    settings = dataclasses.replace(tiny_config, data=data)
    labels = input_pipeline.labels_of(data, "findings")
    batches = input_pipeline.evaluation_batches(settings, labels, "validation").as_numpy_iterator()
    found = np.concatenate([targets for _, targets in batches])
    expected = input_pipeline.finding_targets(input_pipeline.metadata(data, "validation"), data)
    np.testing.assert_array_equal(found, expected)
    assert {-1, 0, 1} == set(np.unique(found))


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
        input_pipeline.labels_of(data, "findings")


def test_a_head_of_other_classes_is_refused(tiny_config):
    with pytest.raises(errors.CtcovError, match="head two_class needs 2 classes, the dataset has covid19, other_p"):
        input_pipeline.labels_of(tiny_config.data, "two_class")


def test_findings_are_part_of_the_manifest(tiny_config):
    data = findings_data(tiny_config)
    manifest = input_pipeline.manifest(data)
    table = input_pipeline.metadata(data, "train")
    assert manifest["splits"]["train"]["by_finding"]["edema"] == int((table["finding_edema"] == 1).sum()) > 0
    assert "by_finding" not in input_pipeline.manifest(tiny_config.data)["splits"]["train"]


def test_likelihoods_stay_with_their_images(tiny_config):
    labels = input_pipeline.labels_of(tiny_config.data, "binary")
    images = len(input_pipeline.metadata(tiny_config.data, "train"))
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
