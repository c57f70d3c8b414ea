"""What a dataset holds, and what of it a network is to learn: labels, tables of images, targets.

Whoever asks for a table is held to splits that share no group, or warned where a dataset cannot promise this.
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
from ctcov_tf.config import DataConfig, Head
from ctcov_tf.datasets import dataset as dataset_lib
from ctcov_tf.datasets import views
from ctcov_tf.datasets.opening import open_dataset
from ctcov_tf.model_info import Labels

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

    Where the dataset records findings, each split also has the images in which each is positive. Where the
    configuration names more datasets, `also` lists what they are.

    Raises:
      CtcovError: a dataset is unknown or not built, or a group stands in two splits.
    """
    first, *others = map(_manifest, sources(data))
    return first | {"also": others} if others else first


def sources(data: DataConfig) -> list[DataConfig]:
    """Each of the datasets that a configuration names, as the configuration of that dataset alone.

    Args:
      data: the dataset, and those that it names beside it.
    """
    others = [DataConfig(dataset=name, data_dir=data.data_dir, cache=data.cache) for name in data.also]
    return [dataclasses.replace(data, also=()), *others]


def _manifest(data: DataConfig) -> dict[str, Any]:
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
    _check_groups(*_seen(data))
    return _metadata(*_seen(data), split).copy()


def learnt_and_judging(learnt: DataConfig, judged: DataConfig) -> tuple[str, str] | None:
    """An image of one's training part that validates or tests the other, as with another fold of the same dataset.

    Args:
      learnt: what a network was trained on.
      judged: what another is to be trained on, with the parts that judge it.

    Returns:
      Id of the first such image, and its part; None where there is none, or the builders are others.

    Raises:
      CtcovError: a dataset cannot be read.
    """
    if learnt.dataset.partition("/")[0] != judged.dataset.partition("/")[0]:
        return None
    known = set(metadata(learnt, "train")["image_id"])
    for split in ("validation", "test"):
        if shared := known & set(metadata(judged, split)["image_id"]):
            return min(shared), split
    return None


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


def _dataset(data: DataConfig) -> dataset_lib.Dataset | views.View:
    return _view(*_seen(data))


def _seen(data: DataConfig) -> tuple[str, str | None, str, str | None]:
    """All that says which images there are, in which parts, and what is asked of them."""
    return data.dataset, data.data_dir, data.task, data.fold


@functools.lru_cache(maxsize=16)
def _view(dataset: str, data_dir: str | None, task: str, fold: str | None) -> dataset_lib.Dataset | views.View:
    return views.view(open_dataset(dataset, data_dir), task, fold)


@functools.lru_cache(maxsize=32)
def _metadata(dataset: str, data_dir: str | None, task: str, fold: str | None, split: str) -> pd.DataFrame:
    return _view(dataset, data_dir, task, fold).metadata(split)


@functools.lru_cache(maxsize=8)
def _check_groups(dataset: str, data_dir: str | None, task: str, fold: str | None) -> None:
    """Holds the splits to have no group in common, unless the dataset declares that it cannot promise this."""
    opened = _view(dataset, data_dir, task, fold)
    if opened.shares_groups:
        warnings.warn(f"{dataset}: splits may share patients: {opened.shares_groups}", stacklevel=2)
        return
    groups = {split: set(_metadata(dataset, data_dir, task, fold, split)["group_id"]) for split in opened.splits}
    for one, other in itertools.combinations(groups, 2):
        if shared := groups[one] & groups[other]:
            raise errors.CtcovError(
                f"{dataset}: group {min(shared)} stands in {one} and in {other} ({len(shared)} such groups): "
                "build the dataset again from a group-disjoint split"
            )
