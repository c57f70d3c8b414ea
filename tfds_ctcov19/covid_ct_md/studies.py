"""The two layouts of the scans: class folders as published, or `labels.csv` with one folder a patient."""

from collections.abc import Iterator
import dataclasses
import functools
import io
from typing import Any

from etils import epath
import numpy as np
import PIL.Image

from tfds_ctcov19 import csv_table, image_files, masks, scans
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Omission, Record

LABELS, INDEX = "labels.csv", "Index.csv"
SLICE_LABELS = ("Slice-level-labels-updated-1.npy", "Slice-level-labels.npy")  # the first that is there
CLASSES = ("covid19", "other_pneumonia", "normal")
SOURCE = "COVID-CT-MD"
# of folders, such as `COVID-19 subjects` or `Cap Cases`, in lower case
_FOLDERS = {"covid-19": "covid19", "cap": "other_pneumonia", "normal": "normal"}
_ENDS = ("", "subjects", "cases")
_HEADER = [
    *("Modality", "ImageType", "SeriesInstanceUID", "SliceLocation", "ImagePositionPatient"),
    *("ImageOrientationPatient", "PatientAge", "PatientSex"),
]
_AXIAL = 0.9  # least cosine between the scanner's axis and that of the slices


@dataclasses.dataclass(frozen=True)
class _Slice:
    """A slice by its header."""

    path: epath.Path
    series: str
    position: float
    age: int
    sex: str


def holds_classes(folder: epath.Path) -> bool:
    """Whether a folder holds class folders as published.

    Args:
      folder: to look into.
    """
    return any(_class_of(child) for child in _folders(folder))


def holds_listed(folder: epath.Path) -> bool:
    """Whether a folder holds `labels.csv` and a folder of DICOM files for each patient.

    Args:
      folder: to look into.
    """
    return (folder / LABELS).is_file() and any(any(child.glob("*.dcm")) for child in _folders(folder))


def read_labels(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists the slices of `labels.csv`.

    Args:
      folder: it holds the table and the files that it names.

    Yields:
      Every slice; and files that are no CT slices.

    Raises:
      DatasetError: the table is damaged, or a file is missing.
    """
    table = folder / LABELS
    filled = ("filename", "class", "patientid", "slice", "position_mm")
    for row in csv_table.read_rows(table, (*filled, "infection_in_slice"), filled=filled):
        name = row["filename"]
        label = csv_table.choose("class", row["class"], CLASSES, f"{table}: {name}")
        path = csv_table.there(folder / name, table, "slices")
        try:
            position = float(row["position_mm"])
        except ValueError as error:
            raise DatasetError(f"{table}: {name}: {row['position_mm']} is no position: write millimetres") from error
        read = _read_header(path, name)
        if isinstance(read, Omission):
            yield read
            continue
        yield _record(
            dataclasses.replace(read, position=position),
            image_id=name,
            label=label,
            patient=row["patientid"],
            index=csv_table.whole_number(row["slice"]),
            infection=csv_table.whole_number(row["infection_in_slice"]),
        )


def read_published(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists the slices of the archive.

    Of a patient with several series the one with the most slices is taken.

    Args:
      folder: it holds the class folders, and perhaps the radiologists' labels of slices.

    Yields:
      Every slice, by class, patient and position; and files that are no CT slices.

    Raises:
      DatasetError: the labels of slices do not go with the scans.
    """
    known = _slice_labels(folder)
    for place in _folders(folder):
        label = _class_of(place)
        for patient in _folders(place) if label else ():
            slices: list[_Slice] = []
            for path in sorted(patient.glob("*.dcm")):
                read = _read_header(path, path.relative_to(folder).as_posix())
                if isinstance(read, Omission):
                    yield read
                else:
                    slices.append(read)
            sizes: dict[str, int] = {}
            for one in slices:
                sizes[one.series] = sizes.get(one.series, 0) + 1
            largest = max(sorted(sizes), key=lambda series: sizes[series], default="")
            scan = sorted((one for one in slices if one.series == largest), key=lambda one: one.position)
            for one in slices:
                if one.series != largest:
                    yield Omission(one.path.relative_to(folder).as_posix(), "of a series of fewer slices")
            marks = known.get(patient.name)
            if marks is not None and len(scan) > len(marks):
                raise DatasetError(
                    f"{patient}: {len(scan)} slices, and {len(marks)} labels of slices: give the labels as published"
                )
            for index, one in enumerate(scan):
                yield _record(
                    one,
                    image_id=f"{patient.name}/{one.path.name}",
                    label=str(label),
                    patient=patient.name,
                    index=index,
                    infection=-1 if marks is None else int(marks[index]),
                )


def _folders(folder: epath.Path) -> list[epath.Path]:
    inside = folder.iterdir() if folder.is_dir() else []
    return sorted(child for child in inside if child.is_dir() and not image_files.is_litter(child.name))


def _class_of(folder: epath.Path) -> str | None:
    name, _, end = folder.name.lower().partition(" ")
    return _FOLDERS.get(name) if end in _ENDS else None


def _slice_labels(folder: epath.Path) -> dict[str, Any]:
    """By patient, whether a radiologist saw infection in each slice; the patients that were not looked at are absent.

    The published indices leave one number out that the array does not leave out, so rows are counted.
    """
    array = next((folder / name for name in SLICE_LABELS if (folder / name).is_file()), None)
    if array is None or not (folder / INDEX).is_file():
        return {}
    columns = ("label index", "folder/id")
    rows = csv_table.read_rows(folder / INDEX, columns, filled=columns)
    rows.sort(key=lambda row: csv_table.whole_number(row["label index"]))
    try:
        labels = np.load(io.BytesIO(array.read_bytes()), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{array}: no array ({' '.join(str(error).split())}): fetch it again") from error
    if labels.ndim != 2 or len(labels) != len(rows):
        raise DatasetError(
            f"{array}: shape {labels.shape}, and {len(rows)} patients in {INDEX}: give both as published"
        )
    return {row["folder/id"]: labels[place] for place, row in enumerate(rows)}


def _read_header(path: epath.Path, name: str) -> _Slice | Omission:
    pydicom = scans.need("pydicom", "dicom")
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_HEADER)
        if header.get("Modality") != "CT" or "LOCALIZER" in (header.get("ImageType") or ()):
            return Omission(name, "no CT slice")
        orientation = [float(value) for value in header.get("ImageOrientationPatient") or (1, 0, 0, 0, 1, 0)]
        if abs(np.cross(orientation[:3], orientation[3:])[2]) < _AXIAL:
            return Omission(name, "no axial slice")
        position = header.get("SliceLocation")
        if position is None:
            position = header.ImagePositionPatient[2]
        age = str(header.get("PatientAge") or "")
        return _Slice(
            path,
            series=str(header.get("SeriesInstanceUID") or ""),
            position=float(position),
            age=csv_table.whole_number(age.removesuffix("Y")),
            sex=str(header.get("PatientSex") or ""),
        )
    except Exception as error:  # pydicom raises errors of every kind on damaged files
        return Omission(name, f"unreadable: {' '.join(str(error).split()) or type(error).__name__}")


def _record(one: _Slice, *, image_id: str, label: str, patient: str, index: int, infection: int) -> Record:
    read = functools.partial(_picture, one.path)
    return Record(
        path=one.path,
        image_id=image_id,
        label=label,
        split="",
        group_id=patient,
        source=SOURCE,
        read=read,
        more={
            "slice": index,
            "position": one.position,
            "infection": infection,
            "age": one.age,
            "sex": one.sex,
            "lesion_mask": functools.partial(_no_mask, one.path),
            "lesions": masks.NONE if label == "normal" else masks.UNKNOWN,
        },
    )


def _picture(path: epath.Path) -> bytes:
    return scans.ct_png(path.read_bytes())


def _no_mask(path: epath.Path) -> bytes:
    """A mask of nothing, of the slice's size: the archive has no outlines."""
    with PIL.Image.open(io.BytesIO(_picture(path))) as image:
        return masks.empty(image.height, image.width)
