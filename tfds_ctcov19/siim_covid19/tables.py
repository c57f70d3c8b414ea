"""The tables of the SIIM-FISABIO-RSNA challenge, and of copies of it."""

import ast
from collections.abc import Iterator
import dataclasses
import functools
import io

from etils import epath
import PIL.Image

from tfds_ctcov19 import csv_table, masks, scans
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.image_files import UnreadableImageError
from tfds_ctcov19.masks import Box
from tfds_ctcov19.records import Omission, Record

LABELS, STUDIES, IMAGES = "labels.csv", "train_study_level.csv", "train_image_level.csv"
SIZES = ("meta.csv", "train_meta.csv")  # tables that come with copies: rows and columns of the originals
SOURCE = "SIIM-FISABIO-RSNA 2021"
CLASSES = {name: name for name in ("negative", "typical", "indeterminate", "atypical")}
_COLUMNS = {
    "negative for pneumonia": "negative",
    "typical appearance": "typical",
    "indeterminate appearance": "indeterminate",
    "atypical appearance": "atypical",
}
_HEADER = ["PatientID", "PatientSex", "Rows", "Columns"]
_BEYOND = 0.01  # of a side, that a box may lie outside its film
_SUFFIXES = (".dcm", ".jpg", ".jpeg", ".png")


def read_labels(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists class folders with `labels.csv`.

    Args:
      folder: that holds them.

    Yields:
      Every film; its aspect is restored where the table has the original size.

    Raises:
      DatasetError: the table is damaged, or a film is missing.
    """
    table = folder / LABELS
    filled = ("filename", "class", "patientid")
    for row in csv_table.read_rows(table, (*filled, "boxes", "split"), filled=filled):
        label = csv_table.choose("class", row["class"], CLASSES, f"{table}: {row['filename']}")
        path = csv_table.there(folder / row["filename"], table)
        size = tuple(csv_table.whole_number(row.get(f"original_{side}", "")) for side in ("width", "height"))
        boxes = _boxes(table, row["filename"], row["boxes"])
        yield _record(
            path,
            image_id=row["filename"],
            label=label,
            split=csv_table.SPLITS.get(row["split"], ""),
            patient=row["patientid"],
            study=row.get("studyid", ""),
            sex=row.get("sex", ""),
            size=size,
            boxes=boxes,
        )


def read_published(folder: epath.Path) -> Iterator[Record | Omission]:
    """Lists the competition's training part: DICOM files by study, or copies by the name of the image.

    Boxes are in pixels of the originals. Of copies without a table of the originals' sizes they are taken as they are
    where all of them fit; where one does not, the copies are smaller than their originals, and no box has a place.

    Args:
      folder: that holds the two tables, and perhaps one of `SIZES` with copies.

    Yields:
      Every film that has a label; films without a file are omissions.

    Raises:
      DatasetError: a table is damaged.
    """
    labels: dict[str, str] = {}
    for row in csv_table.read_rows(folder / STUDIES, ("id", *_COLUMNS), filled=("id", *_COLUMNS)):
        chosen = [label for column, label in _COLUMNS.items() if row[column] == "1"]
        if len(chosen) != 1:
            raise DatasetError(f"{folder / STUDIES}: {row['id']}: not one class: give the table as published")
        labels[row["id"].removesuffix("_study")] = chosen[0]
    rows = csv_table.read_rows(folder / IMAGES, ("id", "boxes", "studyinstanceuid"), filled=("id",))
    places = [path for pattern in ("*", "*/*", "*/*/*", "*/*/*/*") for path in sorted(folder.glob(pattern))]
    files = {path.stem.removesuffix("_image"): path for path in places if path.suffix.lower() in _SUFFIXES}
    sizes = _original_sizes([path for path in places if path.name in SIZES])
    films: list[tuple[_Film, str]] = []
    for row in rows:
        image, study = row["id"].removesuffix("_image"), row["studyinstanceuid"]
        path = files.get(image)
        if path is None or study not in labels:
            yield Omission(image, "no file of this name" if path is None else "its study has no label")
            continue
        try:
            film = _film_of(path, image, study, sizes.get(image), _pixels(folder / IMAGES, image, row["boxes"]))
        except (OSError, UnreadableImageError) as error:
            yield Omission(path.relative_to(folder).as_posix(), f"unreadable: {error}")
            continue
        films.append((film, labels[study]))
    whole = all(film.boxes_fit for film, _ in films if film.guessed)
    for film, label in films:
        known = whole or not film.guessed
        yield _record(
            film.path,
            image_id=film.image,
            label=label,
            split="",
            patient=film.patient,
            study=film.study,
            sex=film.sex,
            size=film.size if known else (-1, -1),
            boxes=film.shares if known else None,
        )


@dataclasses.dataclass(frozen=True)
class _Film:
    """A film of the competition.

    Attributes:
      size: width and height of the original.
      guessed: whether `size` is that of a copy and may not be the original's.
      pixels: boxes in pixels of the original: left, top, right, bottom.
    """

    path: epath.Path
    image: str
    study: str
    patient: str
    sex: str
    size: tuple[int, int]
    guessed: bool
    pixels: list[Box]

    @property
    def shares(self) -> list[Box]:
        """The boxes as shares of width and height."""
        width, height = self.size
        return [(x0 / width, y0 / height, x1 / width, y1 / height) for x0, y0, x1, y1 in self.pixels]

    @property
    def boxes_fit(self) -> bool:
        """Whether no box leaves the film by more than what drawing by hand explains."""
        return all(max(box) <= 1 + _BEYOND for box in self.shares)


def _original_sizes(tables: list[epath.Path]) -> dict[str, tuple[int, int]]:
    """Width and height of originals by image."""
    columns = ("image_id", "dim0", "dim1")
    rows = [row for table in tables for row in csv_table.read_rows(table, columns, filled=columns)]
    number = csv_table.whole_number
    return {row["image_id"].removesuffix("_image"): (number(row["dim1"]), number(row["dim0"])) for row in rows}


def _film_of(path: epath.Path, image: str, study: str, size: tuple[int, int] | None, pixels: list[Box]) -> _Film:
    """What a file's header tells of a film; of a copy whose original is not known its own size is taken."""
    patient, sex, guessed = study, "", False
    if path.suffix.lower() == ".dcm":
        pydicom = scans.need("pydicom", "dicom")
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_HEADER)
            patient, sex = str(header.get("PatientID") or study), str(header.get("PatientSex") or "")
            size = (int(header.Columns), int(header.Rows))
        except Exception as error:  # pydicom raises errors of every kind on damaged files
            raise UnreadableImageError(" ".join(str(error).split()) or type(error).__name__) from error
    elif size is None:
        with PIL.Image.open(path) as opened:
            size, guessed = opened.size, True
    if min(size) <= 0:
        raise UnreadableImageError(f"its original is {size[0]} x {size[1]} pixels")
    return _Film(path, image, study, patient, sex, size, guessed, pixels)


def _pixels(table: epath.Path, image: str, text: str) -> list[Box]:
    """Boxes as the competition writes them."""
    try:
        boxes = ast.literal_eval(text) if text and text != "nan" else []
        return [(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in boxes]
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        raise DatasetError(f"{table}: {image}: no boxes: give the table as published") from error


def _record(
    path: epath.Path,
    *,
    image_id: str,
    label: str,
    split: str,
    patient: str,
    study: str,
    sex: str,
    size: tuple[int, ...],
    boxes: list[Box] | None,
) -> Record:
    known = masks.UNKNOWN if boxes is None else masks.BOXES if boxes else masks.NONE if label == "negative" else ""
    read = functools.partial(_film, path, size)
    return Record(
        path=path,
        image_id=image_id,
        label=label,
        split=split,
        group_id=patient,
        source=SOURCE,
        read=read,
        more={
            "sex": sex,
            "study_id": study,
            "original_width": size[0],
            "original_height": size[1],
            "lesion_mask": functools.partial(_mask, path, size, tuple(boxes or ())),
            "lesions": known,
        },
    )


def _film(path: epath.Path, size: tuple[int, ...]) -> bytes:
    """The film's own bytes; a copy that was squashed to a square is stretched to its original's aspect."""
    data = path.read_bytes()
    if path.suffix.lower() == ".dcm":
        return scans.film_png(data)
    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            width = _width(image.size, size)
            if width == image.width:
                return data
            file = io.BytesIO()
            image.convert("L").resize((width, image.height), PIL.Image.Resampling.BICUBIC).save(file, "PNG")
            return file.getvalue()
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise UnreadableImageError(" ".join(str(error).split()) or type(error).__name__) from error


def _width(now: tuple[int, int], original: tuple[int, ...]) -> int:
    """The width that restores the aspect of the original; that of now where it is unknown or kept."""
    if min(original) <= 0 or now[0] != now[1]:
        return now[0]
    return max(1, round(now[1] * original[0] / original[1]))


def _mask(path: epath.Path, size: tuple[int, ...], boxes: tuple[Box, ...]) -> bytes:
    """The boxes, of the size of the film as it is built."""
    with PIL.Image.open(io.BytesIO(_film(path, size))) as image:
        return masks.of_boxes(image.height, image.width, boxes)


def _boxes(table: epath.Path, name: str, text: str) -> list[Box]:
    """Boxes as `x0 y0 x1 y1` in shares, `;` between them."""
    found: list[Box] = []
    for part in filter(None, text.split(";")):
        try:
            left, top, right, bottom = map(float, part.split())
        except ValueError as error:
            raise DatasetError(f"{table}: {name}: {part!r} is no box: write x0 y0 x1 y1 as shares") from error
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise DatasetError(f"{table}: {name}: {part!r} is no box within the film: write x0 y0 x1 y1 as shares")
        found.append((left, top, right, bottom))
    return found
