"""Write beside, then rename: a file or folder is either whole or not there."""

from collections.abc import Iterator
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import tempfile
from typing import Any, BinaryIO

MAX_BYTES = 1 << 30
"""Files of more bytes are not read; a chest CT of 2,000 slices of 512 x 512 pixels in one file fits."""

_CHUNK = 1 << 20
_WORKPLACE = re.compile(r"\..+\.[a-z0-9_]{8}")  # what `tempfile.mkdtemp` makes of `.name.`


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a path beside `path` to write a file or a folder at; renames it into place at the end.

    The temporary path has the suffix of `path`, since writers choose their format by it. An existing
    file or folder at `path` is replaced only once the new one is whole; on any error it stays as it was.

    Args:
      path: where the file or folder shall be; missing parents are made.

    Yields:
      The path to write at. Nothing exists there yet.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    workplace = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        written = workplace / path.name
        yield written
        if path.is_dir():
            path.rename(workplace / "replaced")
        os.replace(written, path)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Removes what `atomic_path` and `remove_folder` left in `folder` of processes that were killed.

    Args:
      folder: in which no other process writes; nothing happens where it is missing.
    """
    for path in pathlib.Path(folder).glob(".*"):
        if _WORKPLACE.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Removes a folder: to others it is whole or gone, also where the process is killed meanwhile."""
    path = pathlib.Path(path)
    if path.is_dir():
        workplace = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        path.rename(workplace / path.name)
        shutil.rmtree(workplace, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` as UTF-8 at `path`, whole or not at all."""
    with atomic_path(path) as written:
        written.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes `content` as indented JSON at `path`, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file to read, and neither waits for a pipe nor reads a device.

    Args:
      path: of the file, or of a link to one.

    Raises:
      OSError: it cannot be opened, or is a folder.
      IrregularFile: it is a pipe, a socket or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        raise IrregularFile(errno.EINVAL, "not a regular file", os.fspath(path))
    return os.fdopen(descriptor, "rb")


class IrregularFile(OSError):
    """A pipe, a socket or a device in the place of a file."""


def read_bytes(path: str | os.PathLike[str], limit: int = MAX_BYTES) -> bytes:
    """Reads a regular file, whatever size it states: those of `/proc` state none and may never end.

    Args:
      path: of the file, or of a link to one.
      limit: most bytes.

    Raises:
      OSError: it cannot be read, is no regular file, or holds more.
    """
    with open_regular(path) as file:
        content = bytearray()
        while chunk := file.read(_CHUNK):
            content += chunk
            if len(content) > limit:
                raise OSError(errno.EFBIG, f"over the limit of {limit:,} bytes", os.fspath(path))
    return bytes(content)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def unused_name(stem: str, taken: set[str]) -> str:
    """A file name without its suffix: `stem`, or with the first number that is free.

    Args:
      stem: the name wished for.
      taken: names given out so far; the answer is added.
    """
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    return name
