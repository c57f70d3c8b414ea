"""Paediatric chest radiographs of Kermany et al.: pneumonia and normal."""

from collections.abc import Iterator
import dataclasses
import re

from etils import epath
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, csv_table, duplicates, group_splits, image_files, labels
from tfds_ctcov19.chest_xray_pneumonia import file_names
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Arrangement, Omission, Record

SEED = 0
RATIOS = {"train": 0.8, "validation": 0.1, "test": 0.1}
RATIOS_OF_TRAIN = {"train": 0.9, "validation": 0.1}
SMALLEST_VALIDATION = 100  # images; a smaller validation part as released joins the training part, and both are cut
CLASS_NAMES = {"PNEUMONIA": "pneumonia", "NORMAL": "normal"}
PARTS = {"train": "train", "val": "validation", "test": "test"}
LABELS = "labels.csv"
SAME_NUMBERS = (
    "the training and the test part both count patients from 1; that equal numbers are different patients is the "
    "publishers' word"
)


class Builder(archive_builder.ArchiveBuilder):
    """Reads the published folder, or class folders with `labels.csv`; the patient by file name is the group."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    DEFAULT_BUILDER_CONFIG_NAME = "by_patient"
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="by_patient", description="All parts pooled and split 80 / 10 / 10 by patient."),
        tfds.core.BuilderConfig(name="as_released", description="Training and test part as in the archive."),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds train/ and test/ (and val/), each with NORMAL/ and PNEUMONIA/, or labels.csv, NORMAL/ and PNEUMONIA/, or
    the zip file of all that; get it from https://data.mendeley.com/datasets/rscbjbr9sj/2
    """
    CLASSES = tuple(CLASS_NAMES.values())
    URL = (
        "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/f12eaf6d-6023-432f-acc9-80c9d7393433"
        "/file_downloaded"
    )
    PUBLISHED_TITLE = "the archive"
    PUBLISHED = {"all": {"pneumonia": 4273, "normal": 1583}}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        by_patient = self.builder_config.name == "by_patient"
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                source=tfds.features.Text(doc="part of the archive: train, val or test"),
                subtype=tfds.features.Text(doc="of the pneumonia: bacterial, viral, or empty"),
            ),
            supervised_keys=("image", "label"),
            homepage="https://data.mendeley.com/datasets/rscbjbr9sj/2",
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name),
                groups_disjoint=by_patient,
                **({} if by_patient else {"reason": SAME_NUMBERS}),
            ),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        return any((place / name).is_dir() for place in (folder, folder / "train") for name in CLASS_NAMES)

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        listed = _listed(folder) if any((folder / name).is_dir() for name in CLASS_NAMES) else _published(folder)
        for path, class_name, part in listed:
            name = path.relative_to(folder).as_posix()
            film = file_names.parse(path.stem)
            if film is None:
                yield Omission(name, "no patient number in its name")
                continue
            yield Record(
                path=path,
                image_id=name,
                label=CLASS_NAMES[class_name],
                split=PARTS[part],
                group_id=film.patient,
                source=part,
                more={"subtype": film.subtype},
            )

    def _arrange(self, records: list[Record]) -> Arrangement:
        if self.builder_config.name == "by_patient":
            kept, dropped = duplicates.drop_identical(records, self.name)
            return Arrangement(group_splits.split(kept, RATIOS, SEED, stratum=_subtype), dropped)
        by_split = {split: [record for record in records if record.split == split] for split in PARTS.values()}
        if not by_split["test"]:
            raise DatasetError(f"{self.name}: no test part in this layout: build the config by_patient")
        notes = []
        if len(by_split["validation"]) < SMALLEST_VALIDATION:
            pooled = by_split["train"] + by_split["validation"]
            notes = [f"validation part in the archive: {len(by_split['validation'])} images; cut from train by patient"]
            by_split["train"], by_split["validation"] = (
                group_splits.split(pooled, RATIOS_OF_TRAIN, SEED, stratum=_subtype),
                [],
            )
        return Arrangement([_numbered_by_part(record) for part in by_split.values() for record in part], notes=notes)


def _published(folder: epath.Path) -> Iterator[tuple[epath.Path, str, str]]:
    """Yields path, class and part of the images of the published archive."""
    for part in PARTS:
        for class_name in CLASS_NAMES:
            images = folder / part / class_name
            there = sorted(images.iterdir()) if images.is_dir() else []
            files = [path for path in there if not image_files.is_litter(path.name)]
            if not files and (folder / part).is_dir():
                raise DatasetError(
                    f"chest_xray_pneumonia: {images}: no such folder or nothing in it: unpack the whole archive"
                )
            for path in files:
                yield path, class_name, part


def _listed(folder: epath.Path) -> Iterator[tuple[epath.Path, str, str]]:
    """Yields path, class and part of the images in `labels.csv`."""
    table, columns = folder / LABELS, ("filename", "class", "source")
    for row in csv_table.read_rows(table, columns, filled=columns):
        class_name = csv_table.choose("class", row["class"], CLASS_NAMES, f"{table}: {row['filename']}")
        path = csv_table.there(folder / row["filename"], table)
        part = re.search(rf"\b({'|'.join(PARTS)}) part", row["source"])
        yield path, class_name, part[1] if part else "train"


def _subtype(record: Record) -> tuple[str, str]:
    return record.label, record.more["subtype"]


def _numbered_by_part(record: Record) -> Record:
    part = "test" if record.source == "test" else "train"
    return dataclasses.replace(record, group_id=f"{part}/{record.group_id}")
