"""Chest CT of MosMedData: no sign of viral pneumonia, and ground glass in up to a quarter, half, ... of the lung."""

from collections.abc import Iterator
import functools

from etils import epath
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, csv_table, duplicates, group_splits, image_files, labels, masks, scans
from tfds_ctcov19.image_files import UnreadableImageError
from tfds_ctcov19.records import Arrangement, Omission, Record

SEED = 0
RATIOS = {"train": 0.7, "validation": 0.15, "test": 0.15}
LABELS, STUDIES, MASKS = "labels.csv", "studies", "masks"
CATEGORIES = ("CT-0", "CT-1", "CT-2", "CT-3", "CT-4")
STEP = 4  # of each study every fourth slice is taken, within the middle of the lungs
MIDDLE = (0.3, 0.75)  # of the slices, from the feet: where the lungs are large
SOURCE = "MosMedData, Moscow"


class Builder(archive_builder.ArchiveBuilder):
    """Reads studies as NIfTI volumes with masks of some, or class folders with `labels.csv`; groups are patients."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(
            name="by_patient", description="As listed, where the table has splits; else 70 / 15 / 15 by patient."
        )
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds studies/CT-0/ to studies/CT-4/ with study_*.nii.gz, and masks/ with study_*_mask.nii.gz, from
    https://mosmed.ai/datasets/covid19_1110; or labels.csv and the folders CT-0/, CT-1/ and CT-2/
    """
    CLASSES = ("normal", "covid19")
    URL = "https://mosmed.ai/datasets/covid19_1110"
    PUBLISHED_TITLE = "the 1,110 studies of the archive"
    PUBLISHED = {"all": {"normal": 254, "covid19": 856}}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                source=tfds.features.Text(doc="the archive"),
                category=tfds.features.Text(doc="CT-0 (no sign) to CT-4 (more than three quarters of the lung)"),
                slice=tfds.features.Scalar(np.int32, doc="of the study, from the feet; -1 where unknown"),
                **masks.features(),
            ),
            supervised_keys=("image", "label"),
            homepage=self.URL,
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name), groups_disjoint=True, modality="CT", synthetic=False
            ),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        return (folder / STUDIES).is_dir() or any((folder / name).is_dir() for name in CATEGORIES)

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        return _published(folder) if (folder / STUDIES).is_dir() else _listed(folder)

    def _arrange(self, records: list[Record]) -> Arrangement:
        kept, dropped = duplicates.drop_identical(records, self.name)
        return Arrangement(group_splits.as_listed(kept, RATIOS, SEED, stratum=_category), dropped)


def _category(record: Record) -> str:
    return record.more["category"]


def _listed(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists class folders with `labels.csv`."""
    table, filled = folder / LABELS, ("filename", "class", "patientid")
    for row in csv_table.read_rows(table, (*filled, "split"), filled=filled):
        category = csv_table.choose("class", row["class"], CATEGORIES, f"{table}: {row['filename']}")
        path, split = csv_table.there(folder / row["filename"], table), csv_table.SPLITS.get(row["split"], "")
        yield _record(path, row["filename"], category, row["patientid"], split)


def _published(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists slices of the volumes: every fourth in the middle of the lungs."""
    drawn = {path.name.partition("_mask.nii")[0]: path for path in _volumes(folder / MASKS)}
    for category in CATEGORIES:
        for path in _volumes(folder / STUDIES / category):
            study = path.name.partition(".nii")[0]
            try:
                slices = len(scans.volume(path))
            except (OSError, UnreadableImageError) as error:
                yield Omission(path.relative_to(folder).as_posix(), f"unreadable: {error}")
                continue
            for index in range(round(MIDDLE[0] * slices), max(1, round(MIDDLE[1] * slices)), STEP):
                yield _record(path, f"{category}/{study}/{index:03}", category, study, "", index, drawn.get(study))


def _volumes(folder: epath.Path) -> list[epath.Path]:
    found = folder.iterdir() if folder.is_dir() else []
    return sorted(path for path in found if path.name.endswith((".nii", ".nii.gz")))


def _record(
    path: epath.Path,
    image_id: str,
    category: str,
    patient: str,
    split: str,
    index: int = -1,
    drawn: epath.Path | None = None,
) -> Record:
    known = masks.NONE if category == "CT-0" else masks.MASK if drawn else masks.UNKNOWN
    return Record(
        path=path,
        image_id=image_id,
        label="normal" if category == "CT-0" else "covid19",
        split=split,
        group_id=patient,
        source=SOURCE,
        read=functools.partial(scans.slice_png, path, index) if index >= 0 else None,
        more={
            "category": category,
            "slice": index,
            "lesion_mask": functools.partial(_mask, path, index, drawn),
            "lesions": known,
        },
    )


def _mask(path: epath.Path, index: int, drawn: epath.Path | None) -> bytes:
    if drawn is not None:
        return masks.png(scans.slice_mask(drawn, index))
    if index >= 0:
        return masks.empty(*scans.volume(path)[index].shape)
    facts = image_files.read_facts(path.read_bytes())
    return masks.empty(facts.height, facts.width)
