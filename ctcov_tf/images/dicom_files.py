"""Finds DICOM files, by content; no pydicom."""

from collections.abc import Iterable
import os
import pathlib

from ctcov_tf import files

_PREAMBLE, _PREFIX = 128, b"DICM"


def is_dicom(data: bytes) -> bool:
    """Whether a file's content, or its first 132 bytes, are those of a DICOM file (PS3.10)."""
    return data[_PREAMBLE : _PREAMBLE + len(_PREFIX)] == _PREFIX


def find(paths: Iterable[pathlib.Path]) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Parts DICOM files and what holds them from everything else.

    Args:
      paths: files and folders, missing ones too.

    Returns:
      The DICOM files among them and below the folders, in order of their names within a folder; and the paths that
      are not, and do not hold, DICOM files.

    Raises:
      OSError: a file in a folder cannot be read.
    """
    found: list[pathlib.Path] = []
    others: list[pathlib.Path] = []
    for path in paths:
        within = _within(path) if path.is_dir() else _alone(path)
        found += within
        others += [] if within else [path]
    return found, others


def _within(folder: pathlib.Path) -> list[pathlib.Path]:
    """DICOM files below a folder; links to folders are not followed, so that no circle is walked."""
    files = sorted(pathlib.Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return [file for file in files if file.is_file() and _begins_as_dicom(file)]


def _alone(path: pathlib.Path) -> list[pathlib.Path]:
    """A file in a list; nothing where it is not DICOM, or cannot be read, which whoever decodes it will say."""
    try:
        return [path] if path.is_file() and _begins_as_dicom(path) else []
    except OSError:
        return []


def _begins_as_dicom(path: pathlib.Path) -> bool:
    with files.open_regular(path) as file:
        return is_dicom(file.read(_PREAMBLE + len(_PREFIX)))
