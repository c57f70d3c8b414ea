"""From a dataset to batches.

Images are decoded to grey once and kept in memory; every epoch is a new order and a new augmentation that follow
from the seed and the epoch's number alone, so that a run taken up at epoch k goes on as if it had never stopped.
"""

import dataclasses
import functools
import hashlib
import itertools
from typing import Any
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import Config, DataConfig, Head
from ctcov_tf.datasets import dataset as dataset_lib
from ctcov_tf.datasets.opening import open_dataset
from ctcov_tf.model_info import Labels
from ctcov_tf.preprocessing.augmentation import augment
from ctcov_tf.preprocessing.decode import decode_grey
from ctcov_tf.preprocessing.preprocess import Preprocess

ENCODED_BUFFER = 4096  # encoded images held for shuffling where decoded ones are not kept
MASKED = -1.0  # target of a finding that is left out of the loss


def labels_of(data: DataConfig, head: Head) -> Labels:
    """What the outputs of a model trained on these data mean.

    Args:
      data: the dataset, its positive class and its findings.
      head: the model's head.

    Raises:
      CtcovError: the dataset is unknown or not built, lacks the positive class or a finding, or has not as
        many classes as the head.
    """
    dataset = _dataset(data)
    if head != "findings":
        return Labels(dataset.class_names, data.positive, head)
    if not data.findings:
        raise errors.CtcovError("head findings: --findings is empty: name at least one")
    for finding in data.findings:
        if finding not in dataset.findings:
            recorded = f"records {', '.join(dataset.findings)}" if dataset.findings else "records no findings"
            raise errors.CtcovError(
                f"{data.dataset}: finding {finding!r} is not in the dataset, which {recorded}: "
                "choose --findings from these, or another --dataset"
            )
    if data.positive not in data.findings:
        raise errors.CtcovError(
            f"--positive {data.positive}: is none of the findings: choose it from {', '.join(data.findings)}"
        )
    return Labels(data.findings, data.positive, head)


def manifest(data: DataConfig) -> dict[str, Any]:
    """What the data are: name and version, classes, images and groups by split and class, and a hash of all of it.

    Where the dataset records findings, each split also has the images in which each is positive.

    Raises:
      CtcovError: the dataset is unknown or not built, or a group stands in two splits.
    """
    dataset = _dataset(data)
    splits: dict[str, Any] = {}
    lines: list[str] = []
    for split in dataset.splits:
        table = metadata(data, split)
        names = table["label"].map(dataset.class_names.__getitem__)
        states = table[[f"finding_{name}" for name in dataset.findings]]
        splits[split] = {
            "images": len(table),
            "groups": int(table["group_id"].nunique()),
            "by_class": {name: int((names == name).sum()) for name in dataset.class_names},
        }
        columns = [[split] * len(table), table["image_id"], table["group_id"], names]
        if dataset.findings:
            found = (states == dataset_lib.POSITIVE).sum()
            splits[split]["by_finding"] = {name: int(found[f"finding_{name}"]) for name in dataset.findings}
            columns.append(states.astype(str).agg(" ".join, axis=1))
        lines += map("\t".join, zip(*columns, strict=True))
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return {"name": dataset.name, "classes": list(dataset.class_names), "splits": splits, "sha256": digest}


def metadata(data: DataConfig, split: str) -> pd.DataFrame:
    """Everything that the dataset knows of each image but its pixels.

    Args:
      data: the dataset.
      split: `train`, `validation` or `test`.

    Returns:
      One row an image, in dataset order, one column a feature; `label` is the integer label; findings are
      columns `finding_<name>`: 1 positive, 0 negative, -1 uncertain, -2 unmentioned.

    Raises:
      CtcovError: the dataset is unknown or not built, has no such split, or a group stands in two splits.
    """
    _check_groups(data.dataset, data.data_dir)
    return _metadata(data.dataset, data.data_dir, split).copy()


def examples(data: DataConfig, split: str) -> tf.data.Dataset:
    """The examples as they are stored, in dataset order.

    Args:
      data: the dataset.
      split: `train`, `validation` or `test`.

    Returns:
      Dicts of tensors; `image` and any other image feature are the encoded file's bytes.

    Raises:
      CtcovError: the dataset is unknown or not built, or has no such split.
    """
    return _dataset(data).examples(split)


def targets(data: DataConfig, labels: Labels, table: pd.DataFrame) -> npt.NDArray:
    """What the network is to answer.

    Args:
      data: policy of uncertain and unmentioned findings.
      labels: what the outputs mean.
      table: rows of `metadata`.

    Returns:
      (n, outputs) float32: 1 and 0 for a binary head, one-hot for exclusive classes; 1, 0 or `MASKED` for
      findings.
    """
    if labels.head == "findings":
        return finding_targets(table, data)
    label = table["label"].to_numpy(int)
    if labels.head == "binary":
        return (label == labels.positive_index).astype(np.float32)[:, np.newaxis]
    return np.eye(len(labels.outputs), dtype=np.float32)[label]


def finding_targets(table: pd.DataFrame, data: DataConfig) -> npt.NDArray:
    """What is known of the findings, by the configuration's policy.

    Args:
      table: rows of `metadata`.
      data: the findings, and what uncertain and unmentioned ones count as.

    Returns:
      (n, findings) float32: 1 present, 0 absent, `MASKED` left out.
    """
    counts_as = {"ignore": MASKED, "zeros": 0.0, "ones": 1.0}
    states = table[[f"finding_{name}" for name in data.findings]].to_numpy()
    known = np.where(states == dataset_lib.UNCERTAIN, counts_as[data.uncertain], states)
    return np.where(states == dataset_lib.UNMENTIONED, counts_as[data.unmentioned], known).astype(np.float32)


def training_batches(
    config: Config,
    labels: Labels,
    *,
    image_size: int,
    batch_size: int,
    start_epoch: int = 0,
    likelihoods: npt.NDArray | None = None,
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
      likelihoods: (training images, likelihoods) float32, in dataset order, of frozen parts.

    Returns:
      Pairs of images, float32 (batch_size, image_size, image_size, 3), and targets, float32 (batch_size,
      outputs); with `likelihoods` pairs of (images, their likelihoods) and targets.

    Raises:
      CtcovError: the dataset cannot be read, or holds fewer images than a batch.
    """
    images = len(metadata(config.data, "train"))
    if images < batch_size:
        raise errors.CtcovError(
            f"{config.data.dataset}: {images} training images do not fill a batch of {batch_size}: "
            f"lower --batch-size to {images} or less"
        )
    source = _with_targets(config, labels, "train", likelihoods)
    buffer_size = images + 1 if config.data.cache else min(images, ENCODED_BUFFER)
    seed = config.train.seed
    preprocess = _preprocess(config, image_size)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        tf.random.set_seed(1)  # of this function's graph, so that the program's global seed plays no part
        order = tf.random.stateless_uniform((), tf.stack([seed, epoch]), 0, 2**31 - 1, tf.int64)
        shuffled = source.shuffle(buffer_size, seed=order, reshuffle_each_iteration=False)
        whole_batches = shuffled.take(images // batch_size * batch_size)
        return whole_batches.enumerate().map(lambda position, example: (epoch, position, *example))

    def prepare(epoch: tf.Tensor, position: tf.Tensor, image: tf.Tensor, *known: tf.Tensor) -> tuple[Any, tf.Tensor]:
        augmentation_seed = tf.random.experimental.stateless_fold_in(tf.stack([seed, epoch]), position)
        moved = augment(_decoded(image), augmentation_seed, config.augment)
        return _inputs_and_target(preprocess(moved[tf.newaxis])[0], *known)

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max).flat_map(one_epoch)
    prepared = epochs.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return prepared.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    config: Config,
    labels: Labels,
    split: str,
    *,
    image_size: int | None = None,
    batch_size: int = 32,
    likelihoods: npt.NDArray | None = None,
) -> tf.data.Dataset:
    """Pre-processed batches of every image of a split, once, in dataset order.

    Args:
      config: data and pre-processing.
      labels: what the targets mean.
      split: `train`, `validation` or `test`.
      image_size: side of the square images, pixels; the configuration's if not given.
      batch_size: images a batch; the last may hold fewer.
      likelihoods: (images of the split, likelihoods) float32, in dataset order, of frozen parts.

    Returns:
      Pairs of images, float32 (batch, image_size, image_size, 3), and targets, float32 (batch, outputs);
      with `likelihoods` pairs of (images, their likelihoods) and targets.

    Raises:
      CtcovError: the dataset cannot be read or has no such split.
    """
    preprocess = _preprocess(config, image_size or config.preprocess.image_size)

    def prepare(image: tf.Tensor, *known: tf.Tensor) -> tuple[Any, tf.Tensor]:
        return _inputs_and_target(preprocess(_decoded(image)[tf.newaxis])[0], *known)

    source = _with_targets(config, labels, split, likelihoods)
    prepared = source.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return prepared.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _with_targets(config: Config, labels: Labels, split: str, likelihoods: npt.NDArray | None) -> tf.data.Dataset:
    """Triples of an image, its likelihoods and its target; pairs without the likelihoods where there are none."""
    images = _grey_images(config.data, split, in_memory=config.data.cache)
    known = [] if likelihoods is None else [np.asarray(likelihoods, np.float32)]
    known.append(targets(config.data, labels, metadata(config.data, split)))
    return tf.data.Dataset.zip(images, *map(tf.data.Dataset.from_tensor_slices, known))


def _inputs_and_target(image: tf.Tensor, *known: tf.Tensor) -> tuple[Any, tf.Tensor]:
    *likelihoods, target = known
    return (image, *likelihoods) if likelihoods else image, target


def _grey_images(data: DataConfig, split: str, *, in_memory: bool) -> tf.data.Dataset:
    """The images of a split; every one is decoded here once, so that damage shows before training.

    They are grey and kept if `in_memory`, else the encoded bytes, read again from disk in every epoch.
    """
    encoded = examples(data, split).map(lambda example: example["image"])
    grey = encoded.map(decode_grey, num_parallel_calls=tf.data.AUTOTUNE)
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


def _dataset(data: DataConfig) -> dataset_lib.Dataset:
    return open_dataset(data.dataset, data.data_dir)


@functools.lru_cache(maxsize=32)
def _metadata(dataset: str, data_dir: str | None, split: str) -> pd.DataFrame:
    return open_dataset(dataset, data_dir).metadata(split)


@functools.lru_cache(maxsize=8)
def _check_groups(dataset: str, data_dir: str | None) -> None:
    """Holds the splits to have no group in common, unless the dataset declares that it cannot promise this."""
    opened = open_dataset(dataset, data_dir)
    if opened.shares_groups:
        warnings.warn(f"{dataset}: splits may share patients: {opened.shares_groups}", stacklevel=2)
        return
    groups = {split: set(_metadata(dataset, data_dir, split)["group_id"]) for split in opened.splits}
    for one, other in itertools.combinations(groups, 2):
        if shared := groups[one] & groups[other]:
            raise errors.CtcovError(
                f"{dataset}: group {min(shared)} stands in {one} and in {other} ({len(shared)} such groups): "
                "build the dataset again from a group-disjoint split"
            )
