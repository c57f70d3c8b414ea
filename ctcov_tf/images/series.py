"""DICOM files to series: kept apart, and their slices in the order in which they lie in the body."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses

import numpy as np
import numpy.typing as npt

from ctcov_tf import errors
from ctcov_tf.images import dicom, suitability
from ctcov_tf.images.pseudonym import pseudonym
from ctcov_tf.modality import Modality
from ctcov_tf.progress import Bar

_SAME_DIRECTION = 1 - 1e-4  # cosine: within 0.8 degrees
_SAME_PLACE = 1e-3  # mm
_GAP = 1.5  # of the usual distance of slices

BY_NUMBER = "ordered by instance number: not every slice states its position, or they lie in different directions"
BY_FILE = "in the order of the files: slices state neither position nor instance number"
SAME_PLACE = "several slices at one place"


@dataclasses.dataclass(frozen=True)
class Slice:
    """One frame of a DICOM file.

    Attributes:
      name: what the file is called.
      source: the file, or its content.
      index: of the frame in its file.
      instance_number: of the file, in its series; None where it is not stated.
      position: along the normal of the slices, mm; None where the series is not ordered by it.
    """

    name: str
    source: dicom.Source = dataclasses.field(repr=False)
    index: int
    instance_number: int | None
    position: float | None


@dataclasses.dataclass(frozen=True)
class Series:
    """Slices that were made together.

    Attributes:
      study: pseudonym of the study.
      series: pseudonym of the series.
      slices: in order along their normal where positions are stated.
      remarks: what should be said of their order and of what they show.
    """

    study: str
    series: str
    slices: tuple[Slice, ...]
    remarks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Collection:
    """What was found in some DICOM files.

    Attributes:
      series: in order of their first files; those of one study stand together.
      skipped: files that are not for this model.
      unreadable: files that are damaged.
    """

    series: tuple[Series, ...]
    skipped: tuple[suitability.Unsuitable, ...]
    unreadable: tuple[errors.CtcovError, ...]


def collect(
    sources: Mapping[str, dicom.Source],
    known: Modality | None,
    limits: dicom.Limits = dicom.LIMITS,
    check: Callable[[], None] = lambda: None,
) -> Collection:
    """Reads the headers of DICOM files and arranges their frames.

    Args:
      sources: the file or its content, by what it is called.
      known: the modality that the model knows; None where it does not say.
      limits: what is refused of a file.
      check: is called before each file; what it raises ends the reading.

    Returns:
      The series, and what is none of them.
    """
    by_series: dict[str, dict[str, list[_File]]] = {}
    skipped: list[suitability.Unsuitable] = []
    unreadable: list[errors.CtcovError] = []
    for name, source in Bar(sources.items(), desc="read headers", unit="file"):
        check()
        try:
            header = dicom.read_header(source, name, limits)
            suitability.check(header, known, name)
        except suitability.Unsuitable as error:
            skipped.append(error)
        except errors.CtcovError as error:
            unreadable.append(error)
        else:
            by_series.setdefault(header.study, {}).setdefault(header.series, []).append((name, source, header))
    series = tuple(_series(files, known) for of_study in by_series.values() for files in of_study.values())
    return Collection(series, tuple(skipped), tuple(unreadable))


_File = tuple[str, dicom.Source, dicom.Header]


def _series(files: Sequence[_File], known: Modality | None) -> Series:
    kept = _without_copies(files)
    remarks = [f"copies of its images, left out: {len(files) - len(kept)}"] if len(kept) < len(files) else []
    frames = [
        (name, source, index, header.instance_number, frame)
        for name, source, header in kept
        for index, frame in enumerate(header.frames)
    ]
    positions = positions_along_normal([frame for *_, frame in frames])
    if positions is not None:
        order = np.argsort(positions, kind="stable")
        remarks += spacing_remarks(positions[order])
    else:
        numbers = [number for *_, number, _ in frames]
        stated = [number for number in numbers if number is not None]
        complete = len(stated) == len(numbers)
        order = np.argsort(stated, kind="stable") if complete else np.arange(len(frames))
        if len(frames) > 1 and kept[0][2].modality == "CT":
            remarks.append(BY_NUMBER if complete else BY_FILE)
    slices = [
        Slice(name, source, index, number, None if positions is None else float(positions[place]))
        for place, (name, source, index, number, _) in ((place, frames[place]) for place in order)
    ]
    first = kept[0][2]
    said = {remark: None for *_, header in kept for remark in suitability.remarks(header, known)}
    return Series(pseudonym(first.study), pseudonym(first.series), tuple(slices), (*said, *remarks))


def _without_copies(files: Sequence[_File]) -> list[_File]:
    """The first of the files of each instance; those without an identifier are all kept."""
    first = {header.instance or f"file {place}": place for place, (*_, header) in reversed(list(enumerate(files)))}
    return [files[place] for place in sorted(first.values())]


def positions_along_normal(frames: Sequence[dicom.Frame]) -> npt.NDArray | None:
    """Place of each slice along their common normal.

    Args:
      frames: slices, at least one.

    Returns:
      mm, one a slice; None where a slice does not state its place, or slices lie in different directions.
    """
    stated = [(frame.position, frame.orientation) for frame in frames if frame.position and frame.orientation]
    if len(stated) < len(frames):
        return None
    places, orientations = (np.array(values, float) for values in zip(*stated, strict=True))
    normals = np.cross(orientations[:, :3], orientations[:, 3:])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    if not (lengths > 0.5).all():
        return None
    normals /= lengths
    if not (normals @ normals[0] >= _SAME_DIRECTION).all():
        return None
    return places @ normals[0]


def spacing_remarks(positions: npt.NDArray) -> list[str]:
    """What ordered positions say of slices that are missing or there twice.

    Args:
      positions: along the normal, mm, ascending.
    """
    distances = np.diff(positions)
    found = [SAME_PLACE] if (distances < _SAME_PLACE).any() else []
    usual = float(np.median(distances)) if len(distances) else 0.0
    if usual > _SAME_PLACE and distances.max() > _GAP * usual:
        found.append(f"slices are missing: {distances.max():.3g} mm between two, {usual:.3g} mm between most")
    return found
