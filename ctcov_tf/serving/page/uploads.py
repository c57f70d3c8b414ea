"""Files that visitors of the page have uploaded: each known by a ticket, within bounds, gone once they are read.

A client never learns where a file lies, and never names a place: it gets a ticket, and brings it back.
"""

from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import secrets
import shutil
import stat
import tempfile
import threading
import time

from ctcov_tf import errors, locks
from ctcov_tf.serving.settings import Limits

PREFIX = "ctcov-page-"
"""Of the names of folders of uploads."""

FORGET_SECONDS = 900
"""How long a file waits to be read."""

_LOCK = "uploads"

LONGEST_NAME = 200
"""Characters of a file's name that are kept, its end."""


class TooMuch(errors.CtcovError):
    """More files or bytes than a visitor, or all of them together, may leave."""


@dataclasses.dataclass(frozen=True)
class _File:
    path: pathlib.Path
    name: str
    size: int
    owner: str
    since: float


class Uploads:
    """A folder of uploaded files; removed with the server, or by the next one where a server was killed.

    Attributes:
      folder: where the files lie.
    """

    def __init__(self, limits: Limits) -> None:
        """Makes the folder, and removes those of servers that are gone.

        Args:
          limits: most bytes and files.
        """
        remove_abandoned()
        self._limits = limits
        self._open = contextlib.ExitStack()
        self.folder = pathlib.Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
        self._open.enter_context(locks.try_lock(self.folder / _LOCK))
        self._files: dict[str, _File] = {}
        self._changing = threading.Lock()

    def room_for(self, owner: str) -> int:
        """Bytes that a visitor may still leave.

        Args:
          owner: the visitor.

        Raises:
          TooMuch: none, or no further file.
        """
        with self._changing:
            self._forget_old()
            held = [file for file in self._files.values() if file.owner == owner]
            everything = sum(file.size for file in self._files.values())
            room = min(
                self._limits.visitor_bytes - sum(file.size for file in held), self._limits.visitors_bytes - everything
            )
            if room <= 0 or len(held) >= self._limits.slices or len(self._files) >= 4 * self._limits.slices:
                raise TooMuch("too many files wait to be read: ask again later")
            return room

    def keep(self, owner: str, name: str, content: bytes) -> str:
        """Keeps a file.

        Args:
          owner: the visitor who uploaded it.
          name: what the visitor calls it; folders before it are dropped.
          content: of the file.

        Returns:
          Its ticket, which ends with its name.

        Raises:
          TooMuch: there is no room.
        """
        if len(content) > self.room_for(owner):
            raise TooMuch(f"more than {self._limits.visitor_bytes} bytes of files: send fewer at once")
        plain = "".join(sign for sign in name.replace("\\", "/").rpartition("/")[2] if sign.isprintable())
        ticket = f"{secrets.token_hex(16)}/{plain[-LONGEST_NAME:] or 'file'}"
        path = self.folder / ticket.partition("/")[0]
        path.write_bytes(content)
        with self._changing:
            self._files[ticket] = _File(path, plain[-LONGEST_NAME:] or "file", len(content), owner, time.monotonic())
        return ticket

    def owns(self, owner: str, ticket: object) -> bool:
        """Whether a visitor uploaded the file of a ticket.

        Args:
          owner: the visitor.
          ticket: what a client names.
        """
        if not isinstance(ticket, str):
            return False
        with self._changing:
            file = self._files.get(ticket)
        return file is not None and file.owner == owner

    def take(self, tickets: Sequence[str]) -> list[tuple[str, bytes]]:
        """Reads files, and removes them.

        Args:
          tickets: of the files; of those that were taken before, nothing is returned.

        Returns:
          Name and content of each.
        """
        with self._changing:
            files = [file for ticket in tickets if (file := self._files.pop(ticket, None))]
        contents = []
        for file in files:
            contents.append((file.name, file.path.read_bytes()))
            file.path.unlink()
        return contents

    def close(self) -> None:
        """Removes everything."""
        self._open.close()

    def _forget_old(self) -> None:
        before = time.monotonic() - FORGET_SECONDS
        for ticket in [ticket for ticket, file in self._files.items() if file.since < before]:
            self._files.pop(ticket).path.unlink(missing_ok=True)


def remove_abandoned() -> None:
    """Removes the folders of servers that were killed: this user's, whose lock is of a process that is gone."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            holder = locks.holder(folder / _LOCK)
            if holder.is_dead() if holder else time.time() - found.st_mtime > FORGET_SECONDS:
                shutil.rmtree(folder)
