"""From a dataset to batches.

Images are decoded to grey once and kept in memory; every epoch is a new order and a new augmentation that follow
from the seed and the epoch's number alone, so that a run taken up at epoch k goes on as if it had never stopped.

Images are moved and pre-processed by OpenCV, a batch at a time; several batches are made at once, each by one thread:
OpenCV's own threads are turned off where a pipeline is made, for they would get in each other's way.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
from typing import Any
import weakref

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import Config, DataConfig
from ctcov_tf.datasets import contents
from ctcov_tf.images import augmentation
from ctcov_tf.images.batch_memory import BatchMemory
from ctcov_tf.images.decode import decode_grey
from ctcov_tf.images.preprocess import preprocess
from ctcov_tf.model_info import Labels

ENCODED_BUFFER = 4096  # encoded images held for shuffling where decoded ones are not kept
VIEWS = 2


def training_batches(
    config: Config,
    labels: Labels,
    *,
    image_size: int,
    batch_size: int,
    start_epoch: int = 0,
    likelihoods: npt.NDArray | None = None,
    replicas: int = 1,
    worker: int = 0,
    workers: int = 1,
    targets: npt.NDArray | None = None,
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
      replicas: equal parts that each batch is given out in, one after the other.
      worker: number of the process that these are for, of `workers`: it gets its share of the parts of each batch, and
        makes no others.
      workers: processes that train together, each with the same number of replicas.
      targets: (training images, outputs) float32, in dataset order, in place of those of the labels.

    Returns:
      Pairs of images, float32 (batch_size / replicas, image_size, image_size, 3), and targets, float32 (batch_size,
      outputs); with `likelihoods` pairs of (images, their likelihoods) and targets.

    Raises:
      CtcovError: the dataset cannot be read, or holds fewer images than a batch, or a batch has no equal parts.
    """
    if batch_size % replicas:
        raise errors.CtcovError(
            f"--batch-size {batch_size}: cannot be shared by {replicas} devices: choose a multiple of {replicas}"
        )
    images = len(contents.metadata(config.data, "train"))
    _check_fills(batch_size, images, config.data.dataset)
    source, grey_image = _with_targets(config, labels, "train", likelihoods, targets)
    make = Preprocessing(config, image_size, batch_size // replicas, grey_image)
    parts = _epochs(config, source, images, batch_size, start_epoch, replicas=replicas)

    def is_own(number: tf.Tensor, _: Any) -> tf.Tensor:
        return number // (replicas // workers) % workers == worker

    if workers > 1:
        parts = parts.enumerate().filter(is_own).map(lambda _, part: part)

    def prepare(draws: tf.Tensor, examples: tuple[tf.Tensor, ...]) -> tuple[Any, tf.Tensor]:
        stored, *known = examples
        return _inputs_and_targets(make(stored, draws[:, 0]), *known)

    return parts.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def view_batches(config: Config, *, image_size: int, batch_size: int, start_epoch: int = 0) -> tf.data.Dataset:
    """Shuffled batches of two views of the training images of all datasets, without end and without labels.

    Each view is augmented for itself. Epochs are those of `training_batches`.

    Args:
      config: data, pre-processing, augmentation and seed.
      image_size: side of the square images, pixels.
      batch_size: images a batch.
      start_epoch: number of the first epoch.

    Returns:
      Pairs of float32 (batch_size, image_size, image_size, 3), each pair the one element of a tuple, as Keras takes
      inputs without targets.

    Raises:
      CtcovError: a dataset cannot be read, or all hold fewer images than a batch.
    """
    sources = contents.sources(config.data)
    images = sum(len(contents.metadata(data, "train")) for data in sources)
    _check_fills(batch_size, images, ", ".join(data.dataset for data in sources))
    source, grey_image = _stored(sources, "train")
    make = Preprocessing(config, image_size, batch_size, grey_image)

    def prepare(draws: tf.Tensor, examples: tuple[tf.Tensor, ...]) -> tuple[Any]:
        (stored,) = examples
        return (tuple(make(stored, draws[:, view]) for view in range(VIEWS)),)

    batches = _epochs(config, tf.data.Dataset.zip((source,)), images, batch_size, start_epoch, views=VIEWS)
    return batches.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


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
    source, grey_image = _with_targets(config, labels, split, likelihoods)
    make = Preprocessing(config, image_size or config.preprocess.image_size, batch_size, grey_image)

    def prepare(stored: tf.Tensor, *known: tf.Tensor) -> tuple[Any, tf.Tensor]:
        return _inputs_and_targets(make(stored), *known)

    prepared = source.batch(batch_size).map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return prepared.prefetch(tf.data.AUTOTUNE)


def weighted(batches: tf.data.Dataset, weights: Mapping[int, float]) -> tf.data.Dataset:
    """Adds each image's weight as a third element, float32 (batch,).

    Args:
      batches: pairs of inputs and targets.
      weights: by class: the index of the output, or the target itself where there is one output.
    """
    table = tf.constant([weights[index] for index in range(len(weights))])

    def add(inputs: Any, targets: tf.Tensor) -> tuple[Any, tf.Tensor, tf.Tensor]:
        several = targets.shape[-1] > 1
        classes = tf.argmax(targets, -1) if several else tf.cast(tf.round(targets[:, 0]), tf.int64)
        return inputs, targets, tf.gather(table, classes)

    return batches.map(add)


class Preprocessing:
    """Makes batches of what the network sees of stored images.

    Args:
      config: pre-processing and augmentation.
      image_size: side of the square images, pixels.
      batch_size: most images a batch.
      grey_image: from what stands for an image in the dataset to its grey levels, uint8 (height, width).
    """

    def __init__(
        self, config: Config, image_size: int, batch_size: int, grey_image: Callable[[Any], npt.NDArray]
    ) -> None:
        cv2.setNumThreads(1)
        self._settings = dataclasses.replace(config.preprocess, image_size=image_size)
        self._augment = config.augment
        self._grey_image = grey_image
        self._row_shape = (image_size, image_size, 3)
        self._memory = BatchMemory(batch_size, self._row_shape)

    def __call__(self, stored: tf.Tensor, draws: tf.Tensor | None = None) -> tf.Tensor:
        """As graph code.

        Args:
          stored: (batch,), what stands for the images.
          draws: float32 (batch, augmentation.DRAWS), and augmentation.LEVEL_DRAWS more where contrast or brightness
            change; without them the images are not augmented.

        Returns:
          float32 (batch, image_size, image_size, 3).
        """
        weak_self = weakref.proxy(self)  # TensorFlow keeps a Python function for good; the images must not stay with it
        given = [stored] if draws is None else [stored, draws]
        images = tf.numpy_function(lambda *arrays: weak_self._batch(*arrays), given, tf.float32, stateful=False)
        return tf.ensure_shape(images, (stored.shape[0], *self._row_shape))

    def _batch(self, stored: npt.NDArray, draws: npt.NDArray | None = None) -> npt.NDArray:
        batch = self._memory.take(len(stored))
        for number, result in enumerate(batch):
            image = self._grey_image(stored[number])
            if draws is not None:
                image = augmentation.augment(image, draws[number, : augmentation.DRAWS], self._augment)
            preprocess(image, self._settings, result)
            if draws is not None and (self._augment.contrast or self._augment.brightness):
                augmentation.change_levels(result, draws[number, augmentation.DRAWS :], self._augment)
        return batch


def _check_fills(batch_size: int, images: int, name: str) -> None:
    if images < batch_size:
        raise errors.CtcovError(
            f"{name}: {images} training images do not fill a batch of {batch_size}: "
            f"lower --batch-size to {images} or less"
        )


def _epochs(
    config: Config,
    source: tf.data.Dataset,
    images: int,
    batch_size: int,
    start_epoch: int,
    *,
    views: int = 1,
    replicas: int = 1,
) -> tf.data.Dataset:
    """Epoch after epoch, each in an order of its own, with the random numbers of the augmentation.

    Args:
      config: caching and seed.
      source: the images, or what stands for them.
      images: how many.
      batch_size: images a batch.
      start_epoch: number of the first epoch.
      views: of each image.
      replicas: parts of each batch.

    Returns:
      Pairs of draws, float32 (batch_size / replicas, views, numbers), and as many examples of `source`.
    """
    steps, part_size = images // batch_size, batch_size // replicas
    buffer_size = images + 1 if config.data.cache else min(images, ENCODED_BUFFER)
    streams = (augmentation.RIGID_DRAWS, augmentation.DRAWS - augmentation.RIGID_DRAWS, augmentation.LEVEL_DRAWS)

    def draw(epoch_seed: tf.Tensor, stream: int, numbers: int) -> tf.Tensor:
        seed_of_stream = tf.random.experimental.stateless_fold_in(epoch_seed, stream)
        return tf.random.stateless_uniform([steps, batch_size, numbers], seed_of_stream, -1.0, 1.0)

    def draws_of_view(epoch_seed: tf.Tensor, view: int) -> tf.Tensor:
        first = 1 + len(streams) * view
        return tf.concat([draw(epoch_seed, first + number, size) for number, size in enumerate(streams)], axis=-1)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        tf.random.set_seed(1)  # of this function's graph, so that the program's global seed plays no part
        epoch_seed = tf.stack([config.train.seed, epoch])
        order = tf.random.stateless_uniform((), epoch_seed, 0, 2**31 - 1, tf.int64)
        shuffled = source.shuffle(buffer_size, seed=order, reshuffle_each_iteration=False)
        draws = tf.stack([draws_of_view(epoch_seed, view) for view in range(views)], axis=2)
        draws = tf.reshape(draws, [steps * replicas, part_size, views, sum(streams)])
        return tf.data.Dataset.zip(
            tf.data.Dataset.from_tensor_slices(draws), shuffled.batch(part_size, drop_remainder=True)
        )

    return tf.data.Dataset.range(start_epoch, tf.int64.max).flat_map(one_epoch)


def _with_targets(
    config: Config, labels: Labels, split: str, likelihoods: npt.NDArray | None, targets: npt.NDArray | None = None
) -> tuple[tf.data.Dataset, Callable[[Any], npt.NDArray]]:
    """What stands for an image, its likelihoods where there are any, and its target; and how to get the image."""
    stored, grey_image = stored_images(config.data, split)
    known = [] if likelihoods is None else [np.asarray(likelihoods, np.float32)]
    if targets is None:
        targets = contents.targets(config.data, labels, contents.metadata(config.data, split))
    known.append(targets)
    return tf.data.Dataset.zip(stored, *map(tf.data.Dataset.from_tensor_slices, known)), grey_image


def _inputs_and_targets(images: tf.Tensor, *known: tf.Tensor) -> tuple[Any, tf.Tensor]:
    *likelihoods, targets = known
    return (images, *likelihoods) if likelihoods else images, targets


def stored_images(data: DataConfig, split: str) -> tuple[tf.data.Dataset, Callable[[Any], npt.NDArray]]:
    """What stands for the images of a split, and the function that gives an image's grey levels, uint8 (height, width).

    Where images are cached, their place in a list in memory; else the encoded bytes, read again from disk in every
    epoch. Every image is decoded here once, so that damage shows before training.

    Raises:
      CtcovError: the dataset cannot be read, or holds an image that cannot be decoded.
    """
    return _stored([data], split)


def _stored(sources: Sequence[DataConfig], split: str) -> tuple[tf.data.Dataset, Callable[[Any], npt.NDArray]]:
    """The same of several datasets, one after the other."""
    parts = [contents.examples(data, split).map(lambda example: example["image"]) for data in sources]
    encoded = functools.reduce(tf.data.Dataset.concatenate, parts)
    grey = encoded.map(
        lambda image: tf.numpy_function(_decoded, [image], tf.uint8, stateful=False),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    try:
        images = [image for image in grey.as_numpy_iterator() if sources[0].cache]
    except tf.errors.UnknownError as error:
        raise errors.CtcovError(
            f"{_damaged_image(sources, split)} cannot be decoded: leave it out and build the dataset again"
        ) from error
    if sources[0].cache:
        return tf.data.Dataset.range(len(images)), images.__getitem__
    return encoded, _decoded


def _decoded(image_bytes: bytes) -> npt.NDArray:
    return decode_grey(image_bytes, "image")


def _damaged_image(sources: Sequence[DataConfig], split: str) -> str:
    for data in sources:
        for example in contents.examples(data, split).as_numpy_iterator():
            try:
                _decoded(example["image"])
            except errors.CtcovError:
                return f"{data.dataset}, {split}: image {example['image_id'].decode()}"
    return f"{sources[0].dataset}, {split}: image (none on a second reading)"
