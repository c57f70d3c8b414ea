"""Images to be audited, and what is told of each: a built TFDS dataset or a folder, in the same terms."""

from collections.abc import Callable, Iterator
import dataclasses
import pathlib

import pandas as pd

TOLD = ("image_id", "label", "split", "group", "source")
"""Text columns of every collection; empty where it is not told."""

ABOUT_PATIENTS = ("age", "sex", "view")
"""Columns that a collection may have: years (NaN unknown), text, text (empty unknown)."""


@dataclasses.dataclass(frozen=True)
class Published:
    """What a publisher states.

    Attributes:
      source: where it is stated.
      images: number by part (or `all`) and class.
    """

    source: str
    images: dict[str, dict[str, int]]


@dataclasses.dataclass(frozen=True)
class Collection:
    """Images and what is told of them.

    Attributes:
      name: of the dataset or folder.
      table: one row an image: `TOLD`, and those of `ABOUT_PATIENTS` that are told.
      read: gives the encoded images, in the table's order.
      published: the publisher's counts, None where they are not known.
      remarks: what was noted while the images were listed, as sentences.
      synthetic: whether the images were drawn by a program.
    """

    name: str
    table: pd.DataFrame
    read: Callable[[], Iterator[bytes]]
    published: Published | None = None
    remarks: tuple[str, ...] = ()
    synthetic: bool = False


def open_collection(target: str, data_dir: str | None = None) -> Collection:
    """Opens what the user named.

    Args:
      target: a folder of images, or the TFDS name of a dataset that is built.
      data_dir: where `tfds build --data_dir` put the dataset.

    Raises:
      CtcovError: there is no such folder or dataset, or it cannot be read as a collection of images.
    """
    if pathlib.Path(target).is_dir() or _is_path(target):
        from ctcov_tf.audit import folder

        return folder.open_folder(pathlib.Path(target))
    from ctcov_tf import tensorflow_log

    tensorflow_log.load_quietly()
    from ctcov_tf.audit import built_dataset

    return built_dataset.open_built(target, data_dir)


def _is_path(target: str) -> bool:
    """Whether the text can be no TFDS name."""
    return target.startswith((".", "/", "~")) or target.endswith("/")
