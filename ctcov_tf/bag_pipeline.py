"""From a dataset to batches of bags: several slices of each group, for methods that answer studies.

A bag has the same number of slices whatever the size of its group: they are spread evenly over the group, in the order
of their names; those of a small group repeat. All slices of a bag are moved alike.
"""

import dataclasses
import re

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.datasets import contents
from ctcov_tf.images import augmentation
from ctcov_tf.input_pipeline import Preprocessing, stored_images
from ctcov_tf.model_info import Labels

NEIGHBOURS = (-1, 0, 1)
"""Places of the slices that are the channels of a stack."""


@dataclasses.dataclass(frozen=True)
class Groups:
    """The groups of a split.

    Attributes:
      names: (groups,) of the groups, sorted.
      first_rows: (groups,) a row of the dataset's metadata by each.
      order: (images,) places of all images in the dataset, group by group, in each by name.
      starts: (groups,) where each begins in `order`.
      counts: (groups,) images of each.
    """

    names: npt.NDArray
    first_rows: npt.NDArray
    order: npt.NDArray
    starts: npt.NDArray
    counts: npt.NDArray


def slices_of(config: Config) -> int:
    """Slices of a bag; 1 where a model takes single images, or where no group of the dataset has more than one.

    Args:
      config: data and model.

    Raises:
      CtcovError: the dataset cannot be read.
    """
    if not isinstance(config.model, BaselineConfig) or config.model.slices == 1:
        return 1
    return config.model.slices if groups_of(config.data, "train").counts.max() > 1 else 1


def groups_of(data: DataConfig, split: str) -> Groups:
    """Finds the groups of a split.

    Args:
      data: the dataset.
      split: `train`, `validation` or `test`.

    Raises:
      CtcovError: the dataset cannot be read, or a group holds images of several classes.
    """
    table = contents.metadata(data, split).reset_index(drop=True)
    classes = table.groupby("group_id")["label"].nunique()
    if (classes > 1).any():
        raise errors.CtcovError(
            f"{data.dataset}, {split}: group {classes.idxmax()} holds images of several classes, a bag has one: "
            "choose --slices 1"
        )
    in_order = sorted(zip(table["group_id"], table["image_id"].map(_natural), table.index, strict=True))
    names, starts, counts = np.unique([name for name, _, _ in in_order], return_index=True, return_counts=True)
    order = np.array([row for _, _, row in in_order])
    return Groups(names, order[starts], order, starts, counts)


def training_bags(
    config: Config, labels: Labels, *, image_size: int, batch_size: int, start_epoch: int = 0
) -> tf.data.Dataset:
    """Shuffled, augmented, pre-processed bags of the training groups, without end.

    Every epoch yields `groups // batch_size` batches, with other slices of large groups in each; what an epoch holds
    follows from the seed and its number alone.

    Args:
      config: data, pre-processing, augmentation, model and seed.
      labels: what the targets mean.
      image_size: side of the square images, pixels.
      batch_size: bags a batch.
      start_epoch: number of the first epoch.

    Returns:
      Pairs of images, float32 (batch_size * slices, image_size, image_size, 3), bag by bag, and targets, float32
      (batch_size, outputs).

    Raises:
      CtcovError: the dataset cannot be read, or holds fewer groups than a batch has bags.
    """
    bags = _Bags(config, labels, "train", image_size, batch_size)
    groups = len(bags.groups.names)
    steps = groups // batch_size
    if not steps:
        raise errors.CtcovError(
            f"{config.data.dataset}: {groups} training groups do not fill a batch of {batch_size}: "
            f"lower --batch-size to {groups} or less"
        )

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        seeds = [
            tf.random.experimental.stateless_fold_in(tf.stack([config.train.seed, epoch]), stream)
            for stream in range(3)
        ]
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(groups), seeds[0])[: steps * batch_size]
        draws = tf.random.stateless_uniform([steps, batch_size, augmentation.DRAWS], seeds[1], -1.0, 1.0)
        offsets = tf.random.stateless_uniform([steps, batch_size], seeds[2])
        return tf.data.Dataset.from_tensor_slices((tf.reshape(shuffled, [steps, batch_size]), offsets, draws))

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max).flat_map(one_epoch)
    prepared = epochs.map(bags.make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return prepared.prefetch(tf.data.AUTOTUNE)


def evaluation_bags(
    config: Config, labels: Labels, split: str, *, image_size: int | None = None, batch_size: int = 8
) -> tf.data.Dataset:
    """Pre-processed bags of every group of a split, once, in the order of `Groups.names`.

    Args:
      config: data, pre-processing and model.
      labels: what the targets mean.
      split: `train`, `validation` or `test`.
      image_size: side of the square images, pixels; the configuration's if not given.
      batch_size: bags a batch; the last may hold fewer.

    Returns:
      Pairs as `training_bags` gives them.

    Raises:
      CtcovError: the dataset cannot be read or has no such split.
    """
    bags = _Bags(config, labels, split, image_size or config.preprocess.image_size, batch_size)
    numbers = tf.data.Dataset.range(len(bags.groups.names)).batch(batch_size)
    prepared = numbers.map(
        lambda group: bags.make(tf.cast(group, tf.int32), tf.fill(tf.shape(group), 0.5)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return prepared.prefetch(tf.data.AUTOTUNE)


class _Bags:
    """Makes batches of bags from numbers of groups.

    Args:
      config: data, pre-processing, augmentation and model.
      labels: what the targets mean.
      split: `train`, `validation` or `test`.
      image_size: side of the square images, pixels.
      batch_size: most bags a batch.
    """

    def __init__(self, config: Config, labels: Labels, split: str, image_size: int, batch_size: int) -> None:
        if not config.data.cache:
            raise errors.CtcovError(
                "--slices: bags take images in any order: leave out --no-cache, or choose --slices 1"
            )
        self.groups = groups_of(config.data, split)
        self._places = NEIGHBOURS if isinstance(config.model, BaselineConfig) and config.model.stacked else (0,)
        self._slices, self._image_size = slices_of(config), image_size
        rows = contents.metadata(config.data, split).reset_index(drop=True).iloc[self.groups.first_rows]
        self._targets = tf.constant(contents.targets(config.data, labels, rows))
        _, grey_image = stored_images(config.data, split)
        self._read = batch_size * self._slices * len(self._places)
        self._preprocess = Preprocessing(config, image_size, self._read, grey_image)

    def make(self, group: tf.Tensor, offset: tf.Tensor, draws: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """As graph code.

        Args:
          group: (bags,) int32, numbers of groups.
          offset: (bags,) float32 in [0, 1), where in its even share of the group each slice lies.
          draws: float32 (bags, augmentation.DRAWS); without them the images are not moved.

        Returns:
          Images, float32 (bags * slices, size, size, 3), and targets, float32 (bags, outputs).
        """
        rows = tf.reshape(self._rows(group, offset), [-1])
        if draws is not None:
            draws = tf.repeat(draws, self._slices * len(self._places), axis=0)
        images = self._preprocess(rows, draws)
        if len(self._places) > 1:
            grey = tf.reshape(images[..., 0], [-1, len(self._places), self._image_size, self._image_size])
            images = tf.transpose(grey, [0, 2, 3, 1])
        return images, tf.gather(self._targets, group)

    def _rows(self, group: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        """Places in the dataset, (bags, slices, channels) int64."""
        count = tf.gather(tf.constant(self.groups.counts, tf.int32), group)[:, tf.newaxis]
        share = (tf.range(self._slices, dtype=tf.float32) + offset[:, tf.newaxis]) / self._slices
        middle = tf.cast(share * tf.cast(count, tf.float32), tf.int32)[:, :, tf.newaxis]
        position = tf.clip_by_value(middle + tf.constant(self._places), 0, count[:, :, tf.newaxis] - 1)
        start = tf.gather(tf.constant(self.groups.starts, tf.int32), group)[:, tf.newaxis, tf.newaxis]
        return tf.gather(tf.constant(self.groups.order, tf.int64), start + position)


def _natural(name: str) -> tuple[str | int, ...]:
    """A key by which slice 10 stands behind slice 9."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))
