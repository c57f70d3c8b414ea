"""Masks of opacities and of lungs that were drawn on some of the films, from a folder of their own."""

from collections.abc import Iterable, Iterator
import dataclasses
import functools
import io
from typing import Any

from etils import epath
import numpy as np
import numpy.typing as npt
import PIL.Image

from tfds_ctcov19 import csv_table, image_files, masks
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Omission, Record

FOLDER, LABELS = "cxr_opacities", "labels.csv"


def add(found: Iterable[Record | Omission], folder: epath.Path) -> Iterator[Record | Omission]:
    """Gives every film what is known of its opacities.

    Args:
      found: films, and what is left out.
      folder: of the films; the masks are in `cxr_opacities/` in it or beside it, or there are none.

    Yields:
      The films with the features of `masks.features(lungs=True)`, and what is left out.

    Raises:
      DatasetError: the table of masks is damaged, or a mask is missing or no image.
    """
    drawn = _read(folder)
    for one in found:
        yield dataclasses.replace(one, more={**one.more, **_more(one, drawn)}) if isinstance(one, Record) else one


def _read(folder: epath.Path) -> dict[str, tuple[epath.Path, epath.Path]]:
    """Masks of opacities and of lungs by the film's name, among class folders and in the ieee8023 repository."""
    place = next((p / FOLDER for p in (folder, folder.parent) if (p / FOLDER / LABELS).is_file()), None)
    if place is None:
        return {}
    drawn = {}
    filled = ("original", "mask", "lung_mask")
    for row in csv_table.read_rows(place / LABELS, (*filled, "project_file"), filled=filled):
        mask, lungs = (csv_table.there(place / row[column], place / LABELS, "masks") for column in filled[1:])
        both = mask, lungs
        drawn[f"images/{row['original']}"] = both
        if row["project_file"]:
            drawn[row["project_file"].partition("/")[2]] = both
    return drawn


def _more(film: Record, drawn: dict[str, tuple[epath.Path, epath.Path]]) -> dict[str, Any]:
    if film.image_id not in drawn:
        empty = functools.partial(_of_film, film.path, None)
        return {"lesion_mask": empty, "lesions": masks.UNKNOWN, "lung_mask": empty}
    opacities, lungs = (_opened(path) for path in drawn[film.image_id])
    return {
        "lesion_mask": functools.partial(_of_film, film.path, opacities),
        "lesions": masks.MASK if opacities.any() else masks.NONE,
        "lung_mask": functools.partial(_of_film, film.path, lungs),
    }


def _opened(path: epath.Path) -> npt.NDArray[np.bool_]:
    try:
        return masks.read(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: no image ({' '.join(str(error).split())}): fetch the masks again") from error


def _of_film(film: epath.Path, mask: npt.NDArray[np.bool_] | None) -> bytes:
    """A mask in the size of its film; of nothing where there is none."""
    facts = image_files.read_facts(film.read_bytes())
    if mask is None:
        return masks.empty(facts.height, facts.width)
    if mask.shape == (facts.height, facts.width):
        return masks.png(mask)
    with PIL.Image.open(io.BytesIO(masks.png(mask))) as image:
        resized = image.resize((facts.width, facts.height), PIL.Image.Resampling.NEAREST)
    return masks.png(np.asarray(resized) > 0)
