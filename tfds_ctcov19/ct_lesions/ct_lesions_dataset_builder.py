"""CT slices of COVID-19 patients with masks of lesions and of lungs."""

from collections.abc import Iterator
import functools

from etils import epath
import numpy as np
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, csv_table, duplicates, group_splits, image_files, masks, scans
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.image_files import UnreadableImageError
from tfds_ctcov19.records import Arrangement, Omission, Record

SEED = 0
RATIOS = {"train": 0.6, "validation": 0.2, "test": 0.2}
LABELS = "labels.csv"
CASES, CASE_MASKS = "COVID-19-CT-Seg_20cases", "Lung_and_Infection_Mask"
SIRM_IMAGES, SIRM_MASKS = "tr_im.nii.gz", "tr_mask.nii.gz"
STEP = 3  # of each volume every third slice is taken
LUNGS, INFECTION = (1, 2), 3  # labels in the masks of Zenodo 3757476


class Builder(archive_builder.ArchiveBuilder):
    """Reads Zenodo 3757476, MedSeg and SIRM volumes as NIfTI, or images and masks with `labels.csv`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="by_group", description="60 / 20 / 20 by patient or run of slices.")
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds COVID-19-CT-Seg_20cases/ and Lung_and_Infection_Mask/ from https://zenodo.org/records/3757476, or
    tr_im.nii.gz and tr_mask.nii.gz from https://medicalsegmentation.com/covid19, or both; or labels.csv, images/,
    masks/ and lungs/
    """
    CLASSES = ("no_lesion", "lesion")
    URL = "https://zenodo.org/records/3757476"
    PUBLISHED_TITLE = "332 slices with labels.csv"
    PUBLISHED = {"all": {"no_lesion": 47, "lesion": 285}}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=image_files.features(
                self.CLASSES,
                source=tfds.features.Text(doc="the archive that the slice is of"),
                slice=tfds.features.Scalar(np.int32, doc="of the volume; -1 where unknown"),
                **masks.features(lungs=True),
            ),
            supervised_keys=("image", "label"),
            homepage=self.URL,
            metadata=tfds.core.MetadataDict(groups_disjoint=True, modality="CT", synthetic=False),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        published = (folder / CASES).is_dir() or (folder / SIRM_IMAGES).is_file()
        return published or ((folder / LABELS).is_file() and (folder / "masks").is_dir())

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        if (folder / LABELS).is_file() and (folder / "masks").is_dir():
            yield from _listed(folder)
            return
        yield from _cases(folder)
        yield from _sirm(folder)

    def _arrange(self, records: list[Record]) -> Arrangement:
        kept, dropped = duplicates.drop_identical(records, self.name)
        return Arrangement(group_splits.split(kept, RATIOS, SEED), dropped)


def _listed(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists images and masks with `labels.csv`."""
    filled = ("filename", "mask", "lung_mask", "group", "source")
    for row in csv_table.read_rows(folder / LABELS, (*filled, "slice"), filled=filled):
        paths = [folder / row[column] for column in ("filename", "mask", "lung_mask")]
        for path in paths:
            if not path.is_file():
                raise DatasetError(f"{path}: listed in {LABELS} and not there: unpack all images beside the table")
        image, mask, lungs = paths
        try:
            lesion = bool(masks.read(mask.read_bytes()).any())
        except OSError as error:
            yield Omission(row["mask"], f"unreadable: {' '.join(str(error).split())}")
            continue
        yield Record(
            path=image,
            image_id=row["filename"],
            label="lesion" if lesion else "no_lesion",
            split="",
            group_id=row["group"],
            source=row["source"],
            more={
                "slice": csv_table.whole_number(row["slice"]),
                "lesion_mask": functools.partial(_mask_file, mask),
                "lung_mask": functools.partial(_mask_file, lungs),
                "lesions": masks.MASK if lesion else masks.NONE,
            },
        )


def _mask_file(path: epath.Path) -> bytes:
    return masks.png(masks.read(path.read_bytes()))


def _cases(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists slices of the twenty volumes of Zenodo 3757476; slices without a lung are left out."""
    names = sorted((folder / CASES).iterdir()) if (folder / CASES).is_dir() else []
    for path in (path for path in names if path.name.endswith((".nii", ".nii.gz"))):
        mask = folder / CASE_MASKS / path.name
        name = path.name.partition(".nii")[0]
        try:
            labels, shape = scans.volume(mask), scans.volume(path).shape
        except (OSError, UnreadableImageError) as error:
            yield Omission(f"{CASES}/{path.name}", f"unreadable, or its mask is: {error}")
            continue
        if labels.shape != shape:
            yield Omission(f"{CASES}/{path.name}", f"{shape}, its mask is {labels.shape}")
            continue
        hounsfield = not name.startswith("radiopaedia")  # those were stored as grey levels
        for index in range(0, shape[0], STEP):
            if np.isin(labels[index], LUNGS).any():
                yield _slice(path, mask, name, index, "Zenodo 3757476", hounsfield=hounsfield)


def _sirm(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists the hundred slices of SIRM, of more than forty patients that are not told apart: one group each."""
    path, mask = folder / SIRM_IMAGES, folder / SIRM_MASKS
    if not path.is_file():
        return
    try:
        slices = len(scans.volume(path))
    except (OSError, UnreadableImageError) as error:
        yield Omission(SIRM_IMAGES, f"unreadable: {error}")
        return
    for index in range(slices):
        yield _slice(path, mask, f"sirm-{index:03}", index, "SIRM, MedSeg", hounsfield=True)


def _slice(path: epath.Path, mask: epath.Path, group: str, index: int, source: str, *, hounsfield: bool) -> Record:
    sirm, labels = source.startswith("SIRM"), scans.volume(mask)[index]
    lesion = bool((labels > 0 if sirm else labels == INFECTION).any())
    return Record(
        path=path,
        image_id=f"{group}/{index:03}",
        label="lesion" if lesion else "no_lesion",
        split="",
        group_id=group,
        source=source,
        read=functools.partial(_read_slice, path, index, hounsfield=hounsfield),
        more={
            "slice": index,
            "lesion_mask": functools.partial(_drawn, mask, index, lungs=False, sirm=sirm),
            "lung_mask": functools.partial(_drawn, mask, index, lungs=True, sirm=sirm),
            "lesions": masks.MASK if lesion else masks.NONE,
        },
    )


def _read_slice(path: epath.Path, index: int, *, hounsfield: bool) -> bytes:
    values = scans.volume(path)[index]
    return scans.png(scans.grey(values) if hounsfield else np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _drawn(mask: epath.Path, index: int, *, lungs: bool, sirm: bool) -> bytes:
    """Lesions or lungs of a slice; SIRM's masks hold lesions alone, so that its lungs are unknown and empty."""
    labels = scans.volume(mask)[index]
    if sirm:
        return masks.png(labels > 0) if not lungs else masks.empty(*labels.shape)
    return masks.png(labels > 0 if lungs else labels == INFECTION)
