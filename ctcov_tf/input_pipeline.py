"""From a dataset to batches.

Images are decoded to grey once and kept in memory; every epoch is a new order and a new augmentation that follow
from the seed and the epoch's number alone, so that a run taken up at epoch k goes on as if it had never stopped.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import Config, DataConfig
from ctcov_tf.datasets import contents
from ctcov_tf.model_info import Labels
from ctcov_tf.preprocessing.augmentation import augment
from ctcov_tf.preprocessing.decode import decode_grey
from ctcov_tf.preprocessing.preprocess import Preprocess

ENCODED_BUFFER = 4096  # encoded images held for shuffling where decoded ones are not kept


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
    images = len(contents.metadata(config.data, "train"))
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
    known.append(contents.targets(config.data, labels, contents.metadata(config.data, split)))
    return tf.data.Dataset.zip(images, *map(tf.data.Dataset.from_tensor_slices, known))


def _inputs_and_target(image: tf.Tensor, *known: tf.Tensor) -> tuple[Any, tf.Tensor]:
    *likelihoods, target = known
    return (image, *likelihoods) if likelihoods else image, target


def _grey_images(data: DataConfig, split: str, *, in_memory: bool) -> tf.data.Dataset:
    """The images of a split; every one is decoded here once, so that damage shows before training.

    They are grey and kept if `in_memory`, else the encoded bytes, read again from disk in every epoch.
    """
    encoded = contents.examples(data, split).map(lambda example: example["image"])
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
    for example in contents.examples(data, split):
        try:
            decode_grey(example["image"])
        except tf.errors.InvalidArgumentError:
            return example["image_id"].numpy().decode()
    return "(none on a second reading)"


def _preprocess(config: Config, image_size: int) -> Preprocess:
    return Preprocess.from_preprocess_config(dataclasses.replace(config.preprocess, image_size=image_size))
