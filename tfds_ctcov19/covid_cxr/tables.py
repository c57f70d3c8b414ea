"""The two layouts of the radiographs: `labels.csv` with class folders, or the ieee8023 repository."""

from collections.abc import Container, Iterable, Iterator
import re
from typing import Any

from etils import epath

from tfds_ctcov19 import csv_table, duplicates
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Omission, Record

LABELS, METADATA = "labels.csv", "metadata.csv"
CLASS_NAMES = {"Covid-19": "covid19", "Pneumonia": "other_pneumonia", "No_findings": "normal"}
SOURCES = {"ieee8023": "ieee8023", "NIH": "nih"}
# findings of the older, flat table that are pneumonias without saying so
PNEUMONIAS = (
    *("bacterial", "chlamydophila", "e.coli", "klebsiella", "legionella", "mycoplasma", "streptococcus"),
    *("viral", "influenza", "mers", "mers-cov", "sars", "varicella"),
    *("fungal", "lipoid", "pneumocystis"),
)
_FRONTAL = re.compile(r"(PA|AP|APS)\b", re.IGNORECASE)


def read_labels(folder: epath.Path) -> Iterator[Record | Omission]:
    """Yields the images of class folders, with what `labels.csv` tells of them.

    Args:
      folder: it holds `labels.csv` and the folders of `CLASS_NAMES`.

    Yields:
      Images; and what is left out: repetitions named in the column `duplicate_of`, lateral views, files in no row.

    Raises:
      DatasetError: a fault of the table, named with its remedy.
    """
    table = folder / LABELS
    rows = csv_table.read_rows(
        table,
        ("filename", "class", "finding", "source", "view", "age", "sex", "license", "group", "duplicate_of"),
        filled=("filename", "class", "source", "group"),
    )
    labels = {
        row["filename"]: CLASS_NAMES[
            csv_table.choose("class", row["class"], CLASS_NAMES, f"{table}: {row['filename']}")
        ]
        for row in rows
    }
    groups = {row["filename"]: row["group"] for row in rows}
    same = []
    for row in rows:
        name, original = row["filename"], row["duplicate_of"]
        if original and original not in labels:
            raise DatasetError(f"{table}: {name}: repeats {original}, which is in no row: mend duplicate_of")
        if original:
            _agree(table, (name, CLASS_NAMES[row["class"]]), (original, labels[original]))
            same.append((row["group"], groups[original]))
    merged = duplicates.merge_groups(set(groups.values()), same)

    listed: dict[str, str] = {}
    for row in rows:
        name = row["filename"]
        if omission := _listed_twice(listed, table, name, CLASS_NAMES[row["class"]]):
            yield omission
        elif row["duplicate_of"]:
            yield Omission(name, f"the same picture as {row['duplicate_of']}, by {LABELS}")
        elif row["view"] and not _FRONTAL.match(row["view"]):
            yield Omission(name, "not a frontal view")
        else:
            yield Record(
                path=csv_table.there(folder / name, table),
                image_id=name,
                label=labels[name],
                split="",
                group_id=merged[row["group"]],
                source=SOURCES[csv_table.choose("source", row["source"].split()[0], SOURCES, f"{table}: {name}")],
                more=_more(row),
            )
    yield from _unlisted(folder, CLASS_NAMES, listed, LABELS)


def read_metadata(folder: epath.Path) -> Iterator[Record | Omission]:
    """Yields the images of the ieee8023 repository, with what `metadata.csv` tells of them.

    Args:
      folder: it holds `metadata.csv` and `images/`.

    Yields:
      Frontal radiographs of the three classes; and what is left out: CT, other views, other findings, files in no row.

    Raises:
      DatasetError: a fault of the table, named with its remedy.
    """
    table = folder / METADATA
    listed: dict[str, str] = {}
    for row in csv_table.read_rows(table, ("patientid", "finding", "view", "filename"), filled=("filename",)):
        name = f"{row.get('folder') or 'images'}/{row['filename']}"
        label = class_of(row["finding"])
        if row.get("modality", "X-ray").lower() != "x-ray" or row["view"] == "CT":
            yield _left_out(listed, name, "not an X-ray")
        elif not _FRONTAL.match(row["view"]):
            yield _left_out(listed, name, f"not a frontal view: {row['view'] or 'not stated'}")
        elif label is None:
            yield _left_out(listed, name, f"of none of the classes: {row['finding'] or 'no finding stated'}")
        elif omission := _listed_twice(listed, table, name, label):
            yield omission
        elif not row["patientid"]:
            raise DatasetError(f"{table}: {name}: patientid is empty: fill it in")
        else:
            yield Record(
                path=csv_table.there(folder / name, table),
                image_id=name,
                label=label,
                split="",
                group_id=f"ieee8023-{row['patientid']}",
                source="ieee8023",
                more=_more(row),
            )
    yield from _unlisted(folder, ("images",), listed, METADATA)


def class_of(finding: str) -> str | None:
    """Returns the class of a finding of the ieee8023 table, None where it is none of the three.

    Args:
      finding: in the older form (`COVID-19, ARDS`, `SARS`) or as a path (`Pneumonia/Viral/COVID-19`).
    """
    terms = {term.strip().lower() for term in re.split("[/,;]", finding)}
    if "covid-19" in terms:
        return "covid19"
    if terms == {"no finding"}:
        return "normal"
    pneumonia = terms.intersection(PNEUMONIAS) or any("pneumonia" in term for term in terms)
    return "other_pneumonia" if pneumonia else None


def _more(row: dict[str, str]) -> dict[str, Any]:
    return {
        "finding": row["finding"],
        "view": row["view"],
        "age": csv_table.whole_number(row.get("age", "")),
        "sex": row.get("sex", ""),
        "license": row.get("license", ""),
    }


def _agree(table: epath.Path, one: tuple[str, str], other: tuple[str, str]) -> None:
    if one[1] != other[1]:
        raise DatasetError(
            f"{table}: {one[0]}: {one[1]}, and {other[0]}, the same image, {other[1]}: keep the row that is right"
        )


def _listed_twice(listed: dict[str, str], table: epath.Path, name: str, label: str) -> Omission | None:
    """Notes that an image is listed; returns an omission if it was before, under the same label."""
    before = listed.get(name)
    listed[name] = label
    if before:
        _agree(table, (name, before), (name, label))
        return Omission(name, "listed twice")
    return None


def _left_out(listed: dict[str, str], name: str, reason: str) -> Omission:
    listed.setdefault(name, "")
    return Omission(name, reason)


def _unlisted(folder: epath.Path, places: Iterable[str], listed: Container[str], table: str) -> Iterator[Omission]:
    for place in places:
        inside = sorted((folder / place).iterdir()) if (folder / place).is_dir() else []
        for path in inside:
            name = f"{place}/{path.name}"
            if name not in listed and not path.name.startswith("."):
                yield Omission(name, f"in no row of {table}")
