"""Locks on work in a folder that several processes share: a file that names its holder.

A lock is made with O_EXCL, so that one process gets it, and holds host, process and the time at which the process
began. One whose process has died on this host is taken over; one of another host stays until its holder, or a reader
of the message, removes it. Processes of one host look at the locks of a folder one after another, under `flock`.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import socket
import time
from typing import IO

from ctcov_tf import errors

FOLDER = ".locks"
"""Beside the work: where locks lie."""

_GUARD = "guard"
_UNWRITTEN_SECONDS = 30.0  # a lock of another host that is empty for so long is nobody's


@dataclasses.dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
      host: its machine's name.
      pid: its number there.
      began: clock ticks since that machine's start at which it began, where the system tells; another process with the
        same number began at another time.
    """

    host: str
    pid: int
    began: int | None

    def is_dead(self) -> bool:
        """Whether the process is known to be gone; of another host nothing is known."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        now = _began(self.pid)
        return self.began is not None and now is not None and now != self.began

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def lock_file(work: pathlib.Path) -> pathlib.Path:
    """Where the lock on a file or folder lies: beside it, so that the work itself may be replaced."""
    return work.parent / FOLDER / f"{work.name}.lock"


@contextlib.contextmanager
def try_lock(work: pathlib.Path) -> Iterator[Holder | None]:
    """Holds the lock on some work while the context lasts, if nobody else does.

    Args:
      work: the file or folder that is to be made; it need not exist.

    Yields:
      None while this process holds it, else who does.
    """
    path = lock_file(work)
    other = _acquire(path)
    try:
        yield other
    finally:
        if other is None:
            _release(path)


@contextlib.contextmanager
def held(work: pathlib.Path, doing: str) -> Iterator[None]:
    """Holds the lock on some work that two processes must not do at once.

    Args:
      work: the file or folder that is to be made; it need not exist.
      doing: what is done, for the error: `trained into`.

    Raises:
      CtcovError: another process holds it.
    """
    with try_lock(work) as other:
        if other is not None:
            raise errors.CtcovError(
                f"{work}: is being {doing} by {other}: wait for it, or choose another name (if that process is gone, "
                f"remove {lock_file(work)})"
            )
        yield


@contextlib.contextmanager
def lock(work: pathlib.Path, poll: float = 0.5) -> Iterator[None]:
    """Holds the lock on some work, and waits for it where another process has it.

    Args:
      work: the file or folder that is to be made; it need not exist.
      poll: seconds between two looks.
    """
    while True:
        with try_lock(work) as holder:
            if holder is None:
                yield
                return
        time.sleep(poll)


def holder(work: pathlib.Path) -> Holder | None:
    """Who holds the lock on some work, alive or dead; None where nobody does.

    Args:
      work: the file or folder that is to be made; it need not exist.
    """
    return _read(lock_file(work))


def _acquire(path: pathlib.Path) -> Holder | None:
    """Makes the lock file, or says whose it is."""
    with _guarded(path.parent):
        while True:
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                other = _read(path)
                if other is None:
                    continue
                if not other.is_dead():
                    return other
                path.unlink(missing_ok=True)
            else:
                me = Holder(socket.gethostname(), os.getpid(), _began(os.getpid()))
                with open(descriptor, "w", encoding="utf-8") as file:
                    json.dump(dataclasses.asdict(me), file)
                return None


def _release(path: pathlib.Path) -> None:
    """Removes the lock file, and the folder of locks with the last of them."""
    if not path.exists():  # the work was removed with its locks
        return
    with _guarded(path.parent):
        path.unlink(missing_ok=True)
        if [other.name for other in path.parent.iterdir()] == [_GUARD]:
            (path.parent / _GUARD).unlink()
            with contextlib.suppress(OSError):  # another process has made a guard anew, and keeps the folder
                path.parent.rmdir()


@contextlib.contextmanager
def _guarded(folder: pathlib.Path) -> Iterator[None]:
    """Holds a folder of locks against other processes of this host; makes it where it is missing."""
    while (guard := _guard(folder)) is None:
        pass
    with guard:
        yield


def _guard(folder: pathlib.Path) -> IO[str] | None:
    """The guard of a folder, held; None where the folder was removed, or made anew, meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = (folder / _GUARD).open("w")
    except (FileNotFoundError, FileExistsError):
        return None
    fcntl.flock(guard, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(guard.fileno()), os.stat(folder / _GUARD)):
            return guard
    guard.close()
    return None


def _read(path: pathlib.Path) -> Holder | None:
    """Who holds a lock; None where it is gone, or was removed here since it named nobody."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # its process died, or is about to write, at another host
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime < _UNWRITTEN_SECONDS:
                return Holder("another host", 0, None)
            path.unlink()
        return None


def _began(pid: int) -> int | None:
    """Start of a process in clock ticks, field 22 of proc(5)'s stat; None where the system has no such file."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])
