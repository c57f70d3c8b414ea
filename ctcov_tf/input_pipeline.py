"""From a TFDS dataset to batches: the only caller of TFDS.

Images are decoded to grey once and kept in memory; every epoch is a new order and a new augmentation that follow
from the seed and the epoch's number alone, so that a run taken up at epoch k goes on as if it had never stopped.
"""

import dataclasses
import functools
import hashlib
import importlib
import itertools
import pkgutil
from typing import Any
import warnings

import pandas as pd
import tensorflow as tf
import tensorflow_datasets as tfds

from ctcov_tf import errors
from ctcov_tf.config import Config, DataConfig, Head
from ctcov_tf.model_info import Labels
from ctcov_tf.preprocessing.augmentation import augment
from ctcov_tf.preprocessing.decode import decode_grey
from ctcov_tf.preprocessing.preprocess import Preprocess

BUILDERS = "tfds_ctcov19"  # importing it registers this project's datasets
ENCODED_BUFFER = 4096  # encoded images held for shuffling where decoded ones are not kept
METADATA_BATCH = 1024


def labels_of(data: DataConfig, head: Head) -> Labels:
    """What the outputs of a model trained on these data mean.

    Args:
      data: the dataset and its positive class.
      head: `binary` or `three_class`.

    Raises:
      CtcovError: the dataset is unknown or not built, or lacks the positive class.
    """
    return Labels(tuple(_builder(data).info.features["label"].names), data.positive, head)


def manifest(data: DataConfig) -> dict[str, Any]:
    """What the data are: name and version, classes, images and groups by split and class, and a hash of all of it.

    Raises:
      CtcovError: the dataset is unknown or not built, or a group stands in two splits.
    """
    builder = _builder(data)
    classes = list(builder.info.features["label"].names)
    splits: dict[str, Any] = {}
    lines: list[str] = []
    for split in builder.info.splits:
        table = metadata(data, split)
        names = table["label"].map(classes.__getitem__)
        splits[split] = {
            "images": len(table),
            "groups": int(table["group_id"].nunique()),
            "by_class": {name: int((names == name).sum()) for name in classes},
        }
        lines += map("\t".join, zip(itertools.repeat(split), table["image_id"], table["group_id"], names))
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    name = f"{builder.info.name}/{builder.info.config_name}:{builder.info.version}"
    return {"name": name, "classes": classes, "splits": splits, "sha256": digest}


def metadata(data: DataConfig, split: str) -> pd.DataFrame:
    """Everything that the dataset knows of each image but its pixels.

    Args:
      data: the dataset.
      split: `train`, `validation` or `test`.

    Returns:
      One row an image, in dataset order, one column a feature; `label` is the integer label.

    Raises:
      CtcovError: the dataset is unknown or not built, has no such split, or a group stands in two splits.
    """
    _check_groups(data)
    return _metadata(data, split).copy()


def examples(data: DataConfig, split: str) -> tf.data.Dataset:
    """The examples as they are stored, in dataset order.

    Args:
      data: the dataset.
      split: `train`, `validation` or `test`.

    Returns:
      Dicts of scalars; `image` and any other image feature are the encoded file's bytes.

    Raises:
      CtcovError: the dataset is unknown or not built, or has no such split.
    """
    builder = _builder(data)
    return _read(builder, split, {name: tfds.decode.SkipDecoding() for name in _image_features(builder)})


def training_batches(
    config: Config, labels: Labels, *, image_size: int, batch_size: int, start_epoch: int = 0
) -> tf.data.Dataset:
    """Shuffled, augmented, pre-processed batches of the training images, without end.

    Every epoch yields `images // batch_size` batches; the images that do not fill a batch are left out of that
    epoch, others in each.

    Args:
      config: data, pre-processing, augmentation and seed.
      labels: what the targets mean.
      image_size: side of the square images, pixels.
      batch_size: images a batch.
      start_epoch: number of the first epoch.

    Returns:
      Pairs of images, float32 (batch_size, image_size, image_size, 3), and targets, float32 (batch_size, outputs).

    Raises:
      CtcovError: the dataset cannot be read, or holds fewer images than a batch.
    """
    images = len(metadata(config.data, "train"))
    if images < batch_size:
        raise errors.CtcovError(
            f"{config.data.dataset}: {images} training images do not fill a batch of {batch_size}: "
            f"lower --batch-size to {images} or less"
        )
    source = _grey_images(config.data, "train", in_memory=config.data.cache)
    buffer_size = images + 1 if config.data.cache else min(images, ENCODED_BUFFER)
    seed = config.train.seed
    preprocess = _preprocess(config, image_size)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        tf.random.set_seed(1)  # of this function's graph, so that the program's global seed plays no part
        order = tf.random.stateless_uniform((), tf.stack([seed, epoch]), 0, 2**31 - 1, tf.int64)
        shuffled = source.shuffle(buffer_size, seed=order, reshuffle_each_iteration=False)
        whole_batches = shuffled.take(images // batch_size * batch_size)
        return whole_batches.enumerate().map(lambda position, example: (epoch, position, *example))

    def prepare(
        epoch: tf.Tensor, position: tf.Tensor, image: tf.Tensor, label: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        augmentation_seed = tf.random.experimental.stateless_fold_in(tf.stack([seed, epoch]), position)
        moved = augment(_decoded(image), augmentation_seed, config.augment)
        return preprocess(moved[tf.newaxis])[0], _target(label, labels)

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max).flat_map(one_epoch)
    prepared = epochs.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return prepared.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    config: Config, labels: Labels, split: str, *, image_size: int | None = None, batch_size: int = 32
) -> tf.data.Dataset:
    """Pre-processed batches of every image of a split, once, in dataset order.

    Args:
      config: data and pre-processing.
      labels: what the targets mean.
      split: `train`, `validation` or `test`.
      image_size: side of the square images, pixels; the configuration's if not given.
      batch_size: images a batch; the last may hold fewer.

    Returns:
      Pairs of images, float32 (batch, image_size, image_size, 3), and targets, float32 (batch, outputs).

    Raises:
      CtcovError: the dataset cannot be read or has no such split.
    """
    _check_groups(config.data)
    preprocess = _preprocess(config, image_size or config.preprocess.image_size)

    def prepare(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return preprocess(_decoded(image)[tf.newaxis])[0], _target(label, labels)

    source = _grey_images(config.data, split, in_memory=config.data.cache)
    prepared = source.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return prepared.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _grey_images(data: DataConfig, split: str, *, in_memory: bool) -> tf.data.Dataset:
    """Pairs of an image and its label; every image is decoded here once, so that damage shows before training.

    The images are grey and kept if `in_memory`, else the encoded bytes, read again from disk in every epoch.
    """
    encoded = examples(data, split).map(lambda example: (example["image"], example["label"]))
    grey = encoded.map(lambda image, label: (decode_grey(image), label), num_parallel_calls=tf.data.AUTOTUNE)
    grey = grey.cache() if in_memory else grey
    try:
        grey.reduce(tf.constant(0, tf.int64), lambda count, _: count + 1)
    except tf.errors.InvalidArgumentError as error:
        image_id = _damaged_image(data, split)
        raise errors.CtcovError(
            f"{data.dataset}, {split}: image {image_id} cannot be decoded: leave it out and build the dataset again"
        ) from error
    return grey if in_memory else encoded


def _decoded(image: tf.Tensor) -> tf.Tensor:
    return decode_grey(image) if image.dtype == tf.string else image


def _damaged_image(data: DataConfig, split: str) -> str:
    for example in examples(data, split):
        try:
            decode_grey(example["image"])
        except tf.errors.InvalidArgumentError:
            return example["image_id"].numpy().decode()
    return "(none on a second reading)"


def _preprocess(config: Config, image_size: int) -> Preprocess:
    return Preprocess.from_preprocess_config(dataclasses.replace(config.preprocess, image_size=image_size))


def _target(label: tf.Tensor, labels: Labels) -> tf.Tensor:
    if labels.head == "binary":
        return tf.cast(label == labels.positive_index, tf.float32)[tf.newaxis]
    return tf.one_hot(label, len(labels.outputs))


@functools.lru_cache(maxsize=8)
def _builder(data: DataConfig) -> tfds.core.DatasetBuilder:
    project = importlib.import_module(BUILDERS)
    try:
        builder = tfds.builder(data.dataset, data_dir=data.data_dir)
    except (ValueError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        names = ", ".join(module.name for module in pkgutil.iter_modules(project.__path__) if module.ispkg)
        raise errors.CtcovError(f"unknown dataset {data.dataset}: choose one of {names} ({reason})") from error
    if not builder.is_prepared():
        place = f" --data_dir {data.data_dir}" if data.data_dir else ""
        raise errors.CtcovError(
            f"{data.dataset}: not built at {builder.data_path}: tfds build {data.dataset} --imports {BUILDERS}{place}"
        )
    return builder


def _read(builder: tfds.core.DatasetBuilder, split: str, decoders: Any) -> tf.data.Dataset:
    if split not in builder.info.splits:
        raise errors.CtcovError(f"{builder.info.full_name}: no split {split}: choose {', '.join(builder.info.splits)}")
    one_file_after_the_other = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    return builder.as_dataset(split, decoders=decoders, read_config=one_file_after_the_other)


def _image_features(builder: tfds.core.DatasetBuilder) -> list[str]:
    return [name for name, feature in builder.info.features.items() if isinstance(feature, tfds.features.Image)]


@functools.lru_cache(maxsize=32)
def _metadata(data: DataConfig, split: str) -> pd.DataFrame:
    builder = _builder(data)
    columns = [name for name in builder.info.features if name not in _image_features(builder)]
    dataset = _read(builder, split, tfds.decode.PartialDecoding(dict.fromkeys(columns, True)))
    batches = [pd.DataFrame(batch) for batch in dataset.batch(METADATA_BATCH).as_numpy_iterator()]
    table = pd.concat(batches, ignore_index=True) if batches else pd.DataFrame(columns=columns)
    texts = [name for name in columns if isinstance(builder.info.features[name], tfds.features.Text)]
    return table.assign(**{name: table[name].map(bytes.decode) for name in texts})


@functools.lru_cache(maxsize=8)
def _check_groups(data: DataConfig) -> None:
    """Holds the splits to have no group in common, unless the dataset declares that it cannot promise this."""
    builder = _builder(data)
    declared = builder.info.metadata or {}
    if not declared.get("groups_disjoint", True):
        warnings.warn(f"{data.dataset}: splits may share patients: {declared.get('reason')}", stacklevel=2)
        return
    groups = {split: set(_metadata(data, split)["group_id"]) for split in builder.info.splits}
    for one, other in itertools.combinations(groups, 2):
        if shared := groups[one] & groups[other]:
            raise errors.CtcovError(
                f"{data.dataset}: group {min(shared)} stands in {one} and in {other} ({len(shared)} such groups): "
                "build the dataset again from a group-disjoint split"
            )
