"""A dataset that `tfds build` made, as a collection to be audited."""

from collections.abc import Iterator
import json

import pandas as pd

from ctcov_tf.audit.collection import ABOUT_PATIENTS, TOLD, Collection, Published
from ctcov_tf.datasets.dataset import Dataset
from ctcov_tf.datasets.opening import open_dataset

_COLUMNS = {"group_id": "group"}
_BUILD_REPORT = "build_report.json"


def open_built(name: str, data_dir: str | None = None) -> Collection:
    """Opens a built dataset, also one whose parts share groups.

    Args:
      name: TFDS name, `builder` or `builder/config`.
      data_dir: where it was built; TFDS's own default if None.

    Raises:
      CtcovError: the dataset is unknown or not built.
    """
    dataset = open_dataset(name, data_dir)
    table = pd.concat([_table(dataset, split) for split in dataset.splits], ignore_index=True)

    def read() -> Iterator[bytes]:
        for split in dataset.splits:
            yield from dataset.examples(split).map(lambda example: example["image"]).as_numpy_iterator()

    return Collection(
        dataset.name,
        table,
        read,
        published=_published(dataset),
        remarks=(f"The dataset declares that its parts may share patients: {dataset.shares_groups}",)
        if dataset.shares_groups
        else (),
        synthetic=dataset.name.startswith("phantom"),
    )


def _table(dataset: Dataset, split: str) -> pd.DataFrame:
    stored = dataset.metadata(split).rename(columns=_COLUMNS)
    told = [name for name in (*TOLD, *ABOUT_PATIENTS) if name in stored]
    table = stored[told].assign(label=stored["label"].map(dataset.class_names.__getitem__), split=split)
    if "age" in table:
        table = table.assign(age=table["age"].where(table["age"] >= 0))
    return table.assign(**{name: "" for name in TOLD if name not in table})


def _published(dataset: Dataset) -> Published | None:
    """The publisher's table, as the builder wrote it beside the records."""
    report = dataset.folder / _BUILD_REPORT
    if not report.is_file():
        return None
    published = json.loads(report.read_text(encoding="utf-8"))["published"]
    return Published(published["title"], published["images"])
