"""What the tests of the archive builders share: build a folder, and read what came of it."""

import json
import pathlib
from typing import Any

import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder


def build(
    builder_class: type[archive_builder.ArchiveBuilder], folder: pathlib.Path, config: str, data_dir: str = "built"
) -> tfds.core.DatasetBuilder:
    """Builds a config from a folder, as `tfds build --manual_dir` does, into `data_dir` beside that folder."""
    builder = builder_class(config=config, data_dir=folder.parent / data_dir)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    return builder


def report_of(builder: tfds.core.DatasetBuilder) -> dict[str, Any]:
    """Reads the report that the build has written."""
    return json.loads((pathlib.Path(builder.data_path) / archive_builder.REPORT_FILE).read_text())


def rows_of(builder: tfds.core.DatasetBuilder) -> dict[str, dict[str, Any]]:
    """Reads every example by its `image_id`, with its `split`; images stay encoded."""
    return {
        example["image_id"].decode(): {**example, "split": split}
        for split in archive_builder.SPLITS
        for example in builder.as_dataset(
            split=split, decoders={"image": tfds.decode.SkipDecoding()}
        ).as_numpy_iterator()
    }


def splits_of_groups(rows: dict[str, dict[str, Any]]) -> dict[bytes, set[str]]:
    """Returns the splits that each group stands in."""
    splits: dict[bytes, set[str]] = {}
    for row in rows.values():
        splits.setdefault(row["group_id"], set()).add(row["split"])
    return splits
