"""A built dataset seen otherwise: its training images divided anew, or another question asked of every image.

A view has the attributes and methods of `dataset.Dataset`, so that all that reads a dataset reads a view.
"""

import pathlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.datasets.dataset import Dataset
from ctcov_tf.images import encode
from ctcov_tf.images.decode import decode_grey

TURNS = ("upright", "turned_90", "turned_180", "turned_270")
"""Classes of the rotation task: degrees against the clock."""

FOLD_SEED = 0
_POOL = ("train", "validation")
_KEPT = ("image", "label", "image_id", "group_id")  # what stays true of an image that is turned


class View:
    """A dataset behind another; what a subclass does not change is that of the dataset.

    Attributes:
      name: TFDS name with config and version.
      class_names: in the order of the integer labels.
      findings: names of the findings that the dataset records.
      splits: names of its parts.
      shares_groups: why its splits may share patients; None where they may not.
      folder: where its records are.
    """

    def __init__(self, dataset: "Dataset | View"):
        """Looks at a dataset.

        Args:
          dataset: what is seen.
        """
        self._dataset = dataset
        self.name: str = dataset.name
        self.class_names: tuple[str, ...] = dataset.class_names
        self.findings: tuple[str, ...] = dataset.findings
        self.splits: tuple[str, ...] = dataset.splits
        self.shares_groups: str | None = dataset.shares_groups
        self.folder: pathlib.Path = dataset.folder

    def examples(self, split: str) -> tf.data.Dataset:
        """The examples of a part, as `Dataset.examples` gives them."""
        return self._dataset.examples(split)

    def metadata(self, split: str) -> pd.DataFrame:
        """One row an image of a part, as `Dataset.metadata` gives them."""
        return self._dataset.metadata(split)


class Folded(View):
    """One fold of a cross-validation over the training and validation images; the test part is as it was.

    Groups stay whole, and each fold has about the share of every class that all images have.
    """

    def __init__(self, dataset: Dataset | View, fold: str):
        """Divides the images.

        Args:
          dataset: that has the parts train and validation.
          fold: `K/N`: the K-th of N folds is the validation part, the others are the training part.

        Raises:
          CtcovError: `fold` is no such text, the dataset lacks a part, or has fewer groups than folds.
        """
        super().__init__(dataset)
        number, folds = _parse(fold)
        if missing := [split for split in _POOL if split not in dataset.splits]:
            raise errors.CtcovError(f"--fold {fold}: {dataset.name} has no part {missing[0]}: leave out --fold")
        self._table = pd.concat([dataset.metadata(split) for split in _POOL], ignore_index=True)
        groups = self._table["group_id"].nunique()
        if groups < folds:
            raise errors.CtcovError(f"--fold {fold}: {dataset.name} has {groups} groups to divide: choose fewer folds")
        self._in_validation = _divide(self._table, folds) == number

    def examples(self, split: str) -> tf.data.Dataset:
        """The examples of a part, in the order of the dataset, its training part first."""
        if split not in _POOL:
            return super().examples(split)
        first, second = (self._dataset.examples(part) for part in _POOL)
        chosen = tf.data.Dataset.from_tensor_slices(self._chosen(split))
        pooled = tf.data.Dataset.zip(chosen, first.concatenate(second))
        return pooled.filter(lambda kept, _: kept).map(lambda _, example: example)

    def metadata(self, split: str) -> pd.DataFrame:
        """One row an image of a part, in the order of `examples`."""
        if split not in _POOL:
            return super().metadata(split)
        return self._table[self._chosen(split)].reset_index(drop=True)

    def _chosen(self, split: str) -> npt.NDArray:
        return self._in_validation if split == "validation" else ~self._in_validation


class Rotated(View):
    """Every image in four turns; the class is the turn (arXiv 1803.07728): a task that needs no diagnosis."""

    def __init__(self, dataset: Dataset | View):
        """Asks the other question.

        Args:
          dataset: whose images are turned.
        """
        super().__init__(dataset)
        self.class_names = TURNS
        self.findings = ()

    def examples(self, split: str) -> tf.data.Dataset:
        """The examples of a part, four for each of the dataset's, with the features that a turn leaves true."""

        def turned(example: dict[str, tf.Tensor]) -> tf.data.Dataset:
            files = tf.numpy_function(_turns, [example["image"]], tf.string, stateful=False)
            names = [tf.strings.join([example["image_id"], f"-{turn}"]) for turn in TURNS]
            known = {
                "image": tf.ensure_shape(files, len(TURNS)),
                "label": tf.range(len(TURNS), dtype=tf.int64),
                "image_id": tf.stack(names),
                "group_id": tf.repeat(example["group_id"], len(TURNS)),
            }
            return tf.data.Dataset.from_tensor_slices({name: known[name] for name in _KEPT})

        return super().examples(split).flat_map(turned)

    def metadata(self, split: str) -> pd.DataFrame:
        """One row a turned image, in the order of `examples`."""
        table = super().metadata(split)
        repeated = table.loc[table.index.repeat(len(TURNS))].reset_index(drop=True)
        turns = np.tile(np.arange(len(TURNS)), len(table))
        names = [f"{name}-{TURNS[turn]}" for name, turn in zip(repeated["image_id"], turns, strict=True)]
        kept = [name for name in repeated if not str(name).startswith("finding_")]
        return repeated[kept].assign(label=turns, image_id=names)


def view(dataset: Dataset, task: str, fold: str | None) -> Dataset | View:
    """The dataset as a configuration asks for it.

    Args:
      dataset: a built dataset.
      task: `label`, or `rotation` for `Rotated`.
      fold: `K/N` for `Folded`, or None.

    Raises:
      CtcovError: as `Folded`.
    """
    divided = Folded(dataset, fold) if fold else dataset
    return Rotated(divided) if task == "rotation" else divided


def _parse(fold: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", fold)
    number, folds = (int(match[1]), int(match[2])) if match else (0, 0)
    if folds < 2 or not 1 <= number <= folds:
        raise errors.CtcovError(f"--fold {fold}: is no part of a cross-validation: write it as 1/5, 2/5, ...")
    return number, folds


def _divide(table: pd.DataFrame, folds: int) -> npt.NDArray:
    """Number of each image's fold, from 1."""
    from sklearn.model_selection import StratifiedGroupKFold

    numbers = np.zeros(len(table), int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=FOLD_SEED)
    for number, (_, held_out) in enumerate(splitter.split(table, table["label"], table["group_id"]), start=1):
        numbers[held_out] = number
    return numbers


def _turns(image: bytes) -> Any:
    """The four turned files of an image, object array of bytes."""
    grey = decode_grey(image, "image")
    return np.array([encode.png(np.ascontiguousarray(np.rot90(grey, turn))) for turn in range(len(TURNS))], object)
