"""Files and folders by path or address (`gs://...`, `memory://...`): listed, read and written whole."""

from collections.abc import Callable, Iterator
import dataclasses
import errno
import secrets
from typing import BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ctcov_tf import errors, files


@dataclasses.dataclass(frozen=True)
class Place:
    """A file or folder on a file system that fsspec knows.

    Attributes:
      address: as the user names it, without a slash at the end.
    """

    address: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.address.rstrip("/") or "/")

    @property
    def fs(self) -> fsspec.AbstractFileSystem:
        """The file system; fsspec keeps one for each protocol.

        Raises:
          CtcovError: fsspec has no such protocol, or its package is not installed.
        """
        return self._opened[0]

    @property
    def path(self) -> str:
        """What the file system calls it."""
        return self._opened[1]

    @property
    def _opened(self) -> tuple[fsspec.AbstractFileSystem, str]:
        try:
            return fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError) as error:
            raise errors.CtcovError(
                f"{self.address}: {errors.one_line(error)}: name a folder, or install the file system's package"
            ) from error

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.address}/{name}")

    def __str__(self) -> str:
        return self.address

    def names(self) -> list[str]:
        """Names of what stands in this folder now, in order."""
        self.fs.invalidate_cache(self.path)
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in self.fs.ls(self.path, detail=False))

    def named(self, suffix: str, instead_of: str) -> "Place":
        """The place beside this one whose name ends in `suffix` instead."""
        return Place(self.address.removesuffix(instead_of) + suffix)


@dataclasses.dataclass(frozen=True)
class Found:
    """A file below a folder.

    Attributes:
      path: below the folder, with slashes.
      size: bytes; -1 for what is no regular file and must not be opened.
    """

    path: str
    size: int


def walk(root: Place) -> Iterator[Found]:
    """Lists the files below a folder, folder by folder in order of names; links to folders are not followed.

    Args:
      root: the folder.

    Yields:
      Every file.

    Raises:
      CtcovError: there is no such folder, or one below it cannot be listed.
    """
    fs, top = root.fs, root.path.rstrip("/")
    if not fs.isdir(root.path):
        raise errors.CtcovError(f"{root}: no such folder: name the folder of the archive")
    try:
        for folder, folders, files in fs.walk(root.path, detail=True, on_error="raise"):
            inside = folder.rstrip("/")[len(top) :].strip("/")
            for name, info in sorted(files.items()):
                if name:
                    yield Found(f"{inside}/{name}".lstrip("/"), _size(fs, info))
            ordered = sorted(folders.items())
            folders.clear()
            folders.update(ordered)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise errors.CtcovError(f"{error.filename or root}: {reason}: make the folder readable") from error


def _size(fs: fsspec.AbstractFileSystem, info: dict) -> int:
    if info.get("islink"):
        try:
            info = fs.info(info["name"])
        except OSError:
            return -1
    return int(info.get("size") or 0) if info["type"] == "file" else -1


def read(fs: fsspec.AbstractFileSystem, path: str, limit: int) -> bytes:
    """Reads a file, whatever size its file system states.

    Args:
      fs: the file system.
      path: on it.
      limit: most bytes.

    Raises:
      OSError: it cannot be read, is no regular file, or holds more.
    """
    if isinstance(fs, LocalFileSystem):
        return files.read_bytes(path, limit)
    with fs.open(path, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"over the limit of {limit:,} bytes")
    return content


def write(place: Place, beside: Place, content: Callable[[BinaryIO], object]) -> None:
    """Writes a file in another folder of the same file system and moves it into place once it is whole.

    Args:
      place: where it shall be; the folder is there.
      beside: folder to write it in, which is there too.
      content: writes the content.
    """
    fs, unfinished = place.fs, f"{beside.path}/{secrets.token_hex(8)}.unfinished"
    try:
        with fs.open(unfinished, "wb") as file:
            content(file)
        fs.mv(unfinished, place.path)
    except BaseException:
        if fs.exists(unfinished):
            fs.rm(unfinished)
        raise
