"""CT slices of COVID-19 patients with masks of lesions and of lungs."""

from collections.abc import Iterator
import dataclasses
import functools

from etils import epath
import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, csv_table, duplicates, group_splits, image_files, labels, masks, scans
from tfds_ctcov19.image_files import UnreadableImageError
from tfds_ctcov19.records import Arrangement, Omission, Record

SEED = 0
RATIOS = {"train": 0.6, "validation": 0.2, "test": 0.2}
LABELS = "labels.csv"
CASES, CASE_MASKS = "COVID-19-CT-Seg_20cases", "Lung_and_Infection_Mask"
SIRM_IMAGES, SIRM_MASKS = "tr_im.nii.gz", "tr_mask.nii.gz"
STEP = 3  # of each volume every third slice is taken
MEDSEG, MEDSEG_MASKS, MEDSEG_LUNGS = "rp_im", "rp_msk", "rp_lung_msk"
LUNGS, INFECTION = (1, 2), 3  # labels in the masks of Zenodo 3757476, the first also in MedSeg's of lungs
INSIDE = (*LUNGS, INFECTION)
OPACITIES = (1, 2)  # ground glass and consolidation in MedSeg's masks; 3 is fluid beside the lung


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """What some labels of a volume of labels mark."""

    path: epath.Path
    labels: tuple[int, ...]

    def of(self, index: int) -> npt.NDArray[np.bool_]:
        """The marks in a slice."""
        return np.isin(scans.volume(self.path)[index], self.labels)

    def png(self, index: int) -> bytes:
        """The marks in a slice as a picture."""
        return masks.png(self.of(index))

    def none(self, index: int) -> bytes:
        """A picture of no marks in the size of a slice."""
        return masks.png(np.zeros_like(self.of(index)))


class Builder(archive_builder.ArchiveBuilder):
    """Reads Zenodo 3757476, MedSeg and SIRM volumes as NIfTI, or images and masks with `labels.csv`."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="by_group", description="60 / 20 / 20 by patient or run of slices.")
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    it holds COVID-19-CT-Seg_20cases/ and Lung_and_Infection_Mask/ from https://zenodo.org/records/3757476, or rp_im/,
    rp_msk/ and rp_lung_msk/, or tr_im.nii.gz and tr_mask.nii.gz, from https://medicalsegmentation.com/covid19, or
    several of them; or labels.csv, images/, masks/ and lungs/
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
            metadata=tfds.core.MetadataDict(
                stands_for=labels.stands_for(self.name), groups_disjoint=True, modality="CT", synthetic=False
            ),
        )

    def _holds_archive(self, folder: epath.Path) -> bool:
        published = (folder / CASES).is_dir() or (folder / MEDSEG).is_dir() or (folder / SIRM_IMAGES).is_file()
        return published or ((folder / LABELS).is_file() and (folder / "masks").is_dir())

    def _list_records(
        self, folder: epath.Path, dl_manager: tfds.download.DownloadManager
    ) -> Iterator[Record | Omission]:
        del dl_manager
        if (folder / LABELS).is_file() and (folder / "masks").is_dir():
            yield from _listed(folder)
            return
        yield from _cases(folder)
        yield from _medseg(folder)
        yield from _sirm(folder)

    def _arrange(self, records: list[Record]) -> Arrangement:
        kept, dropped = duplicates.drop_identical(records, self.name)
        return Arrangement(group_splits.split(kept, RATIOS, SEED), dropped)


def _listed(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists images and masks with `labels.csv`."""
    table, filled = folder / LABELS, ("filename", "mask", "lung_mask", "group", "source")
    for row in csv_table.read_rows(table, (*filled, "slice"), filled=filled):
        image, mask, lungs = (csv_table.there(folder / row[column], table) for column in filled[:3])
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
    for path in _volumes(folder / CASES):
        name = path.name.partition(".nii")[0]
        hounsfield = not name.startswith("radiopaedia")  # those were stored as grey levels
        both = _Drawn(folder / CASE_MASKS / path.name, (INFECTION,)), _Drawn(folder / CASE_MASKS / path.name, INSIDE)
        yield from _with_lungs(path, *both, group=name, source="Zenodo 3757476", hounsfield=hounsfield)


def _medseg(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists slices of the nine volumes of MedSeg, whose masks of lesions and of lungs are files apart."""
    for path in _volumes(folder / MEDSEG):
        name = f"medseg-{path.name.partition('.nii')[0]}"
        lesions, lungs = (
            _Drawn(folder / MEDSEG_MASKS / path.name, OPACITIES),
            _Drawn(folder / MEDSEG_LUNGS / path.name, LUNGS),
        )
        yield from _with_lungs(path, lesions, lungs, group=name, source="MedSeg, 9 Radiopaedia volumes")


def _sirm(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists the hundred slices of SIRM, of more than forty patients that are not told apart: one group each."""
    path, drawn = folder / SIRM_IMAGES, _Drawn(folder / SIRM_MASKS, OPACITIES)
    if not path.is_file():
        return
    if fault := _fault(path, drawn.path):
        yield Omission(SIRM_IMAGES, fault)
        return
    for index in range(len(scans.volume(path))):
        yield _slice(path, drawn, None, index, group=f"sirm-{index:03}", source="SIRM, MedSeg", hounsfield=True)


def _volumes(folder: epath.Path) -> list[epath.Path]:
    found = folder.iterdir() if folder.is_dir() else []
    return sorted(path for path in found if path.name.endswith((".nii", ".nii.gz")))


def _fault(path: epath.Path, *drawn: epath.Path) -> str:
    """Why a volume cannot be used with its masks; empty where it can."""
    try:
        shape = scans.volume(path).shape
        for mask in drawn:
            if scans.volume(mask).shape != shape:
                return f"{shape}, its mask is {scans.volume(mask).shape}"
    except (OSError, UnreadableImageError) as error:
        return f"unreadable, or its mask is: {error}"
    return ""


def _with_lungs(
    path: epath.Path, lesions: _Drawn, lungs: _Drawn, *, group: str, source: str, hounsfield: bool = True
) -> Iterator[Record | Omission]:
    """Every third slice of a volume, of those that show a lung."""
    if fault := _fault(path, lesions.path, lungs.path):
        yield Omission(f"{path.parent.name}/{path.name}", fault)
        return
    for index in range(0, len(scans.volume(path)), STEP):
        if lungs.of(index).any():
            yield _slice(path, lesions, lungs, index, group=group, source=source, hounsfield=hounsfield)


def _slice(
    path: epath.Path,
    lesions: _Drawn,
    lungs: _Drawn | None,
    index: int,
    *,
    group: str,
    source: str,
    hounsfield: bool,
) -> Record:
    lesion = bool(lesions.of(index).any())
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
            "lesion_mask": functools.partial(lesions.png, index),
            "lung_mask": functools.partial(lungs.png if lungs else lesions.none, index),
            "lesions": masks.MASK if lesion else masks.NONE,
        },
    )


def _read_slice(path: epath.Path, index: int, *, hounsfield: bool) -> bytes:
    values = scans.volume(path)[index]
    return scans.png(scans.grey(values) if hounsfield else np.clip(np.rint(values), 0, 255).astype(np.uint8))
