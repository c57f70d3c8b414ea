"""A folder of images as a collection to be audited: with a `labels.csv`, or with a folder for each class."""

from collections.abc import Iterator, Mapping, Sequence
import pathlib

import pandas as pd

from ctcov_tf import errors
from ctcov_tf.audit import published
from ctcov_tf.audit.collection import ABOUT_PATIENTS, TOLD, Collection
from ctcov_tf.images import decode

LABELS = "labels.csv"

NAMES = {
    "image_id": ("file", "filename", "image", "path"),
    "label": ("class", "label"),
    "split": ("split", "part", "subset"),
    "group": ("group", "group_id", "patient", "patient_id", "patientid", "subject"),
    "source": ("source", "collection", "origin"),
    "age": ("age",),
    "sex": ("sex", "gender"),
    "view": ("view", "view_position", "projection"),
}
"""Names that a column of `labels.csv` may have, in any case; of several that are there the first is read."""

PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Names, in any case, that a part may have, by the name that it has here."""


def open_folder(folder: pathlib.Path) -> Collection:
    """Opens a folder: `labels.csv` and what it names, `<class>/...`, or `<part>/<class>/...`.

    Without a table, the folder that an image lies in below its class is taken for its group; an image that lies in
    the class's folder itself has none.

    Args:
      folder: as the user named it.

    Raises:
      CtcovError: there is no such folder, its layout is none of these, or the table names what is not there.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise errors.CtcovError(f"{folder}: no such folder: name a folder of images, or a dataset that is built")
    there = sorted(path for path in folder.rglob("*") if path.suffix.lower() in decode.SUFFIXES and path.is_file())
    visible = [path for path in there if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not visible:
        raise errors.CtcovError(
            f"{folder}: no image in it ({', '.join(decode.SUFFIXES)}): name the folder that holds them"
        )
    names = [path.relative_to(folder).as_posix() for path in visible]
    remarks: tuple[str, ...] = ()
    if (folder / LABELS).is_file():
        table = _read_labels(folder / LABELS)
        unlisted = sorted(set(names) - set(table["image_id"]))
        if unlisted:
            more = f" and {len(unlisted) - 1} more" if len(unlisted) > 1 else ""
            remarks = (f"{unlisted[0]}{more}: not in {LABELS}, left out.",)
    else:
        table = _from_folders(folder, names)
    paths = [folder / name for name in table["image_id"]]

    def read() -> Iterator[bytes]:
        return (path.read_bytes() for path in paths)

    return Collection(folder.resolve().name, table, read, published.of_classes(table["label"].unique()), remarks)


def _read_labels(path: pathlib.Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError) as error:
        raise errors.CtcovError(f"{path}: no table ({errors.one_line(error)}): save it as CSV in UTF-8") from error
    rows = rows.rename(columns=lambda name: name.strip().lower()).map(str.strip)
    chosen = {ours: next((name for name in theirs if name in rows), None) for ours, theirs in NAMES.items()}
    for needed in ("image_id", "label"):
        if chosen[needed] is None:
            raise errors.CtcovError(
                f"{path}: no column that names the {'file' if needed == 'image_id' else 'class'}: "
                f"call one {' or '.join(NAMES[needed])}"
            )
        empty = rows.index[rows[chosen[needed]] == ""]
        if len(empty):
            raise errors.CtcovError(f"{path}: line {empty[0] + 2}: {chosen[needed]} is empty: fill it in")
    table = pd.DataFrame({ours: rows[name] for ours, name in chosen.items() if name is not None})
    missing = [name for name in table["image_id"] if not (path.parent / name).is_file()]
    if missing:
        raise errors.CtcovError(
            f"{path.parent / missing[0]}: listed in {LABELS} and not there ({len(missing)} in all): "
            "unpack all images beside the table, or take out their rows"
        )
    twice = table["image_id"][table["image_id"].duplicated()]
    if len(twice):
        raise errors.CtcovError(f"{path}: {twice.iloc[0]}: in two rows: keep the one that is right")
    if "split" in table:
        table = table.assign(split=table["split"].map(part_name))
    if "age" in table:
        table = table.assign(age=pd.to_numeric(table["age"], errors="coerce"))
    return _complete(table)


def _from_folders(folder: pathlib.Path, names: Sequence[str]) -> pd.DataFrame:
    outside = [name for name in names if "/" not in name]
    if outside:
        raise errors.CtcovError(
            f"{folder / outside[0]}: in no folder of a class: sort the images into <class>/ or <part>/<class>/, "
            f"or give a {LABELS}"
        )
    tops = {name.split("/")[0] for name in names}
    in_parts = all(top.lower() in _PART_OF for top in tops)
    depth = 1 if in_parts else 0
    rows = []
    for name in names:
        *folders, _ = name.split("/")
        if len(folders) <= depth:
            raise errors.CtcovError(f"{folder / name}: in a part and in no class: sort the images into <part>/<class>/")
        part = part_name(folders[0]) if in_parts else ""
        group = "/".join(folders) if len(folders) > depth + 1 else ""
        rows.append({"image_id": name, "label": folders[depth], "split": part, "group": group})
    return _complete(pd.DataFrame(rows))


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{name: "" for name in TOLD if name not in table})[
        [*TOLD, *(name for name in ABOUT_PATIENTS if name in table)]
    ]


def part_name(text: str) -> str:
    """`train`, `validation` or `test` for any name of these in `PARTS`; another name stays as it is."""
    return _PART_OF.get(text.lower(), text)


_PART_OF: Mapping[str, str] = {name: part for part, names in PARTS.items() for name in names}
