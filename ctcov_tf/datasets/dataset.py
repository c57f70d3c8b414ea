"""A built TFDS dataset in the terms of this project: classes, findings, groups, splits."""

import pathlib
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_datasets as tfds

from ctcov_tf import errors

METADATA_BATCH = 1024
POSITIVE, NEGATIVE, UNCERTAIN, UNMENTIONED = 1, 0, -1, -2
STATES = {"positive": POSITIVE, "negative": NEGATIVE, "uncertain": UNCERTAIN, "unmentioned": UNMENTIONED}


class Dataset:
    """A dataset whose features are those that the builders of `tfds_ctcov19` share.

    Attributes:
      name: TFDS name with config and version.
      class_names: in the order of the integer labels.
      findings: names of the findings that the dataset records; empty where it records none.
      splits: names of its parts.
      shares_groups: why its splits may share patients; None where they may not.
      folder: where its records are.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder):
        """Describes what a builder has prepared.

        Args:
          builder: a builder that is prepared.
        """
        info = builder.info
        declared = info.metadata or {}
        self._builder = builder
        self.folder = pathlib.Path(builder.data_path)
        self.name = (
            f"{info.name}/{info.config_name}:{info.version}" if info.config_name else f"{info.name}:{info.version}"
        )
        self.class_names = self._class_names()
        self.findings = self._findings()
        self.splits = self._splits()
        self.shares_groups = None if declared.get("groups_disjoint", True) else str(declared.get("reason"))

    def examples(self, split: str) -> tf.data.Dataset:
        """The examples as they are stored, in dataset order.

        Args:
          split: one of `splits`.

        Returns:
          Dicts of tensors; `image` and any other image feature are the encoded file's bytes.

        Raises:
          CtcovError: there is no such split.
        """
        return self._read(split, {name: tfds.decode.SkipDecoding() for name in self._image_features()})

    def metadata(self, split: str) -> pd.DataFrame:
        """Everything that the dataset knows of each image but its pixels.

        Args:
          split: one of `splits`.

        Returns:
          One row an image, in dataset order, one column a feature; findings are columns `finding_<name>`:
          1 positive, 0 negative, -1 uncertain, -2 unmentioned.

        Raises:
          CtcovError: there is no such split.
        """
        images = self._image_features()
        columns = [name for name in self._builder.info.features if name not in images]
        return self._table(self._read(split, tfds.decode.PartialDecoding(dict.fromkeys(columns, True))), columns)

    def _class_names(self) -> tuple[str, ...]:
        return tuple(self._builder.info.features["label"].names)

    def _findings(self) -> tuple[str, ...]:
        return tuple((self._builder.info.metadata or {}).get("findings", ()))

    def _splits(self) -> tuple[str, ...]:
        return tuple(self._builder.info.splits)

    def _states(self) -> list[str]:
        """Names of the states of a finding, in the order of their integers."""
        return self._builder.info.features["findings"].feature.names

    def _image_features(self) -> list[str]:
        features = self._builder.info.features
        return [name for name, feature in features.items() if isinstance(feature, tfds.features.Image)]

    def _read(self, split: str, decoders: Any) -> tf.data.Dataset:
        if split not in self.splits:
            raise errors.CtcovError(f"{self.name}: no split {split}: choose {', '.join(self.splits)}")
        return read(self._builder, split, decoders)

    def _table(self, examples: tf.data.Dataset, columns: list[str]) -> pd.DataFrame:
        """Scalars and findings of all examples."""
        parts = list(examples.batch(METADATA_BATCH).as_numpy_iterator())
        scalars = [name for name in columns if name != "findings"]
        if not parts:
            return pd.DataFrame(columns=[*scalars, *(f"finding_{name}" for name in self.findings)])
        table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in scalars})
        texts = [name for name in scalars if table[name].dtype == object]
        table = table.assign(**{name: table[name].map(bytes.decode) for name in texts})
        if not self.findings:
            return table
        codes = np.array([STATES[name] for name in self._states()])
        states = codes[np.concatenate([part["findings"] for part in parts])]
        return table.assign(**{f"finding_{name}": states[:, index] for index, name in enumerate(self.findings)})


def read(builder: tfds.core.DatasetBuilder, split: str, decoders: Any) -> tf.data.Dataset:
    """One file after the other, so that the order is always the same.

    Args:
      builder: a prepared builder.
      split: its own name of the part.
      decoders: as `as_dataset` takes them.
    """
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    return builder.as_dataset(split, decoders=decoders, read_config=in_order)
