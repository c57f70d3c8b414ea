"""Cells of a table: each is one training, a run directory that several processes may share and that may be interrupted.

A cell is done when it has been trained, calibrated and judged; what is done is not done again. One that a process works
on is locked; one whose process was killed goes on from its last whole epoch.
"""

from collections.abc import Mapping, Sequence
import contextlib
import dataclasses
import gc
import json
import pathlib
import sys
import time

import keras

from ctcov_tf import config as config_lib
from ctcov_tf import errors, files, interruption, locks, run_directory
from ctcov_tf.config import Config
from ctcov_tf.evaluation import calibrate, tables
from ctcov_tf.reproduce.judging import Judging
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.training import train

LOG = "log.txt"
_SECONDS = "seconds.json"
_POLL = 2.0  # seconds between two looks at cells that another process works on


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
      arm: name of the row that it belongs to.
      title: for readers.
      preset: name of the preset.
      config: the resolved configuration.
      path: its run directory.
    """

    arm: str
    title: str
    preset: str
    config: Config
    path: pathlib.Path


def begin(cells: Sequence[Cell]) -> None:
    """Makes the run directories, so that what cannot be trained shows before anything is.

    Args:
      cells: those that another process works on have been begun.

    Raises:
      CtcovError: a configuration cannot be trained here, or a folder holds a cell of other settings.
    """
    for cell in cells:
        with locks.try_lock(cell.path) as holder:
            if holder is None:
                _open_or_create(cell)


def work(
    cells: Sequence[Cell], judging: Judging, *, expected: Mapping[str, float] | None = None, keep_going: bool = False
) -> dict[str, str]:
    """Trains, calibrates and judges every cell that is not done, and waits for those that other processes do.

    Prints a line as a cell begins and one as it ends, on stderr; what training prints goes to `log.txt` in the run.

    Args:
      cells: which.
      judging: how they are judged.
      expected: seconds that a training of each arm is expected to take, by the arm's name.
      keep_going: whether a cell that fails leaves the others to be done.

    Returns:
      What went wrong with the cells that failed, by the name of their folder.

    Raises:
      CtcovError: a cell cannot be trained or judged, and the others are not to be done.
      KeyboardInterrupt: the same call goes on.
    """
    clock = _Clock(cells, expected or {})
    failed: dict[str, str] = {}
    waited_for: str | None = None
    pending = list(cells)
    while pending:
        holders = []
        for cell in list(pending):
            with locks.try_lock(cell.path) as holder:
                if holder is not None:
                    holders.append(f"{cell.title} ({holder})")
                    continue
                pending.remove(cell)
                try:
                    _do(cell, judging, clock, len(cells) - len(pending), pending)
                except errors.CtcovError as error:
                    if not keep_going:
                        raise
                    failed[cell.path.name] = errors.one_line(error)
                    _say(f"{cell.title}: failed: {failed[cell.path.name]}")
        if len(holders) == len(pending) and pending:
            if waited_for != (waited_for := "; ".join(holders)):
                _say(f"waiting for {waited_for}")
            time.sleep(_POLL)
    return failed


def seconds(path: pathlib.Path) -> float | None:
    """Seconds that the training of a run has taken, over all calls; None where nobody counted."""
    try:
        return float(json.loads((path / _SECONDS).read_text(encoding="utf-8"))["training"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _do(cell: Cell, judging: Judging, clock: "_Clock", number: int, pending: Sequence[Cell]) -> None:
    run = _open_or_create(cell)
    if run.calibration_file.is_file() and judging.is_done(run):
        return
    _say(f"[{number}/{clock.cells}] {cell.title}: {run.path}, {clock.left([cell, *pending])}")
    start = time.perf_counter()
    try:
        if not run.calibration_file.is_file():
            _train(run)
        judging.judge(run)
    finally:
        keras.utils.clear_session()
        gc.collect()
    _say(f"[{number}/{clock.cells}] {cell.title}: done in {tables.duration(time.perf_counter() - start)}")


def _train(run: RunDirectory) -> None:
    """Trains a run to its end and calibrates it."""
    start = time.perf_counter()
    with (
        interruption.handled(),
        (run.path / LOG).open("a", encoding="utf-8", buffering=1) as log,
        contextlib.redirect_stdout(log),
    ):
        try:
            finished = train.train(run)
        except errors.CtcovError as error:
            if interruption.received():  # where no epoch is whole yet, training ends with an error
                raise KeyboardInterrupt from error
            raise
        finally:
            taken = (seconds(run.path) or 0.0) + time.perf_counter() - start
            files.write_json(run.path / _SECONDS, {"training": taken})
        if not finished:
            raise KeyboardInterrupt
        calibrate.calibrate(run)


def _open_or_create(cell: Cell) -> RunDirectory:
    if _is_empty(cell.path):
        return train.create_run(cell.preset, cell.config, cell.path)
    run = run_directory.load(cell.path)
    # create_run has resolved the precision for the machine that began the run
    expected = dataclasses.replace(
        cell.config, train=dataclasses.replace(cell.config.train, precision=run.config.train.precision)
    )
    if (changed := _changed_fields(run.config, expected)) or run.preset != cell.preset:
        what = f"with another {', '.join(changed)}" if changed else f"from preset {run.preset}"
        raise errors.CtcovError(f"{cell.path}: was trained {what}: choose another --out, or the settings that it has")
    return run


def _is_empty(path: pathlib.Path) -> bool:
    """Whether nothing is there, or only what a process that was killed had begun to write; that is removed."""
    if not path.exists():
        return True
    if any(not entry.name.startswith(".") for entry in path.iterdir()):
        return False
    with contextlib.suppress(OSError):
        for entry in path.iterdir():
            for left in entry.iterdir():
                left.unlink()
            entry.rmdir()
        path.rmdir()
    return not path.exists()


def _changed_fields(ours: Config, theirs: Config) -> list[str]:
    sections = zip(config_lib.to_dict(ours).values(), config_lib.to_dict(theirs).values(), strict=True)
    return [
        f"--{name.replace('_', '-')}"
        for one, other in sections
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
    ]


class _Clock:
    """Tells the time that is left, from cells of the same arm that are done, or what they were expected to take."""

    def __init__(self, cells: Sequence[Cell], expected: Mapping[str, float]):
        self.cells = len(cells)
        self._all = cells
        self._expected = expected

    def left(self, pending: Sequence[Cell]) -> str:
        """For the cells that are not done yet, in words."""
        taken: dict[str, list[float]] = {}
        for cell in self._all:
            found = None if cell in pending else seconds(cell.path)
            if found:
                taken.setdefault(cell.arm, []).append(found)
        known = {**self._expected, **{arm: sum(values) / len(values) for arm, values in taken.items()}}
        if not known:
            return f"{len(pending)} left"
        usual = sum(known.values()) / len(known)
        left = sum(max(0.0, known.get(cell.arm, usual) - (seconds(cell.path) or 0.0)) for cell in pending)
        return f"about {tables.duration(left)} left for {len(pending)}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
