"""What is expensive to make is made once for all workers of pytest-xdist."""

from collections.abc import Callable
import fcntl
import pathlib
import shutil


def once(shared: pathlib.Path, name: str, build: Callable[[pathlib.Path], object]) -> pathlib.Path:
    """Gives a folder that the first who needs it fills, while the others wait.

    A folder that is not finished, since its build failed or was killed, is made anew.

    Args:
      shared: folder of all that is made so.
      name: of what is made.
      build: fills the folder, which is empty.

    Returns:
      The folder. Nobody writes into it any more: a test that changes something copies it.
    """
    shared.mkdir(exist_ok=True)
    folder, finished = shared / name, shared / f"{name}.finished"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            finished.touch()
    return folder
