"""A file system of slices that stand on no disk: `phantoms://100000` holds so many PNG files, made when they are read.

A few phantoms are drawn once. Each file is one of them with its number in a text chunk, so that no two have the same
content and reading one costs no drawing.
"""

import functools
import io
import struct
from typing import Any
import zlib

import cv2
import fsspec
import numpy as np

from tfds_ctcov19.phantom import scanner

PROTOCOL = "phantoms"
DRAWN, SIDE = 48, 256  # phantoms, pixels
FOLDER = 1000  # files of one folder

_BEHIND_HEADER = 33  # bytes of a PNG's signature and first chunk


class PhantomFiles(fsspec.AbstractFileSystem):
    """`<number of files>/<folder>/<file>.png`."""

    protocol = PROTOCOL

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """Lists the archive's folders, or a folder's files."""
        parts = self._strip_protocol(path).strip("/").split("/")
        files = int(parts[0])
        if len(parts) == 1:
            names = [(f"{files}/{folder:05}", "directory", 0) for folder in range(-(-files // FOLDER))]
        elif parts[-1].endswith(".png"):
            names = [("/".join(parts), "file", len(slice_file(int(parts[-1][:-4]))))]
        else:
            first = int(parts[1]) * FOLDER
            size = len(slice_file(0))  # nobody allocates by it
            names = [(f"{files}/{parts[1]}/{n:08}.png", "file", size) for n in range(first, min(first + FOLDER, files))]
        found = [{"name": name, "type": kind, "size": size} for name, kind, size in names]
        return found if detail else [one["name"] for one in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """What `path` is."""
        parts = self._strip_protocol(path).strip("/").split("/")
        if parts[-1].endswith(".png"):
            return self.ls(path)[0]
        return {"name": "/".join(parts), "type": "directory", "size": 0}

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """A file's content."""
        return slice_file(int(path.rsplit("/", 1)[-1][:-4]))[start:end]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> io.BytesIO:
        return io.BytesIO(self.cat_file(path))


def register() -> None:
    """Makes the protocol known to fsspec in this process."""
    fsspec.register_implementation(PROTOCOL, PhantomFiles, clobber=True)


def slice_file(number: int) -> bytes:
    """The PNG file of a slice.

    Args:
      number: tells it from all others.
    """
    drawn = _drawn()[number % DRAWN]
    text = b"tEXtnumber\0" + str(number).encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return drawn[:_BEHIND_HEADER] + chunk + drawn[_BEHIND_HEADER:]


@functools.cache
def _drawn() -> tuple[bytes, ...]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(DRAWN):
        drawn = scanner.scan(number, (SIDE, SIDE)).image
        grained = np.clip(drawn + rng.normal(0, 4, drawn.shape), 0, 255).astype(np.uint8)
        found.append(cv2.imencode(".png", grained)[1].tobytes())
    return tuple(found)
