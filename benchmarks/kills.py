"""Does a training that is killed and resumed end as one that ran through?

    python -m benchmarks.kills [--kills N] [--seed N] [--json] [--record FILE]

`small_cnn` in small on phantoms, with all that a training has to remember: two image sizes, dropout, moving average,
schedule, gradients gathered over two steps, early stopping, and `--deterministic`. One process trains it through.
Others are killed with SIGKILL at moments drawn at random, about half of them while a file is being written, and resumed
until the run ends; then the next run begins. Weights, history and calibration must be equal bit for bit.
"""

import contextlib
import dataclasses
import io
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any
import zipfile

import h5py
import numpy as np
import numpy.typing as npt
import tyro

from benchmarks import record, timing

PROJECT = pathlib.Path(__file__).parent.parent
PRESET = "small_cnn"
FLAGS = (
    *("--dataset", "phantom/tiny", "--image-size", "48", "--early-stages", "32", "4", "--epochs", "16"),
    *("--channels", "8", "16", "--batch-size", "12", "--accumulate", "2", "--ema-momentum", "0.9"),
    *("--patience", "12", "--precision", "float32", "--deterministic"),
)
BUILD = "import sys, tfds_ctcov19, tensorflow_datasets as t; t.builder('phantom/tiny', data_dir=sys.argv[1])"
BEGINS = "stage "  # the line that `train.py` prints before it trains


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """How often, and where the record goes."""

    kills: int = 20
    """Processes that are killed."""
    seed: int = 0
    """Of the moments."""


@dataclasses.dataclass(frozen=True)
class Kill:
    """A process that was killed.

    Attributes:
      run: number of the run that it trained.
      seconds: after it began to train.
      epoch: rows of `history.csv` by then.
      writing: what it was writing, by the name of the file; None where nothing was half-written.
    """

    run: int
    seconds: float
    epoch: int
    writing: str | None


def main(options: Options) -> None:
    """Kills, resumes, compares, prints and records."""
    rng, kills, same = random.Random(options.seed), list[Kill](), list[bool]()
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        command = [sys.executable, "-c", f"{BUILD}.download_and_prepare()", str(place / "data")]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
        start = time.monotonic()
        with _training(place, "through") as process:
            _wait_until_it_trains(process)
            start = time.monotonic()
            _end(process)
        whole = time.monotonic() - start
        expected = contents(place / "through")
        while len(kills) < options.kills:
            run = f"run{len(same)}"
            while not (place / run / "calibration.json").is_file():
                kill = _killed(place, run, rng, whole, len(same)) if len(kills) < options.kills else None
                if kill:
                    kills.append(kill)
                elif not (place / run / "calibration.json").is_file():
                    with _training(place, run) as process:
                        _end(process)
            same.append(equal(contents(place / run), expected))
    record.publish(_record(options, kills, same, whole), options)


def contents(run: pathlib.Path) -> dict[str, Any]:
    """What a finished run must have in common with another: every weight, history, calibration.

    Args:
      run: the run directory.
    """
    with zipfile.ZipFile(run / "model.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    arrays: dict[str, npt.NDArray] = {}
    weights.visititems(lambda name, item: arrays.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    with np.load(run / "gate.npz", allow_pickle=False) as gate:
        arrays |= {f"gate/{name}": gate[name] for name in gate.files}
    return {
        "weights": arrays,
        "history": (run / "history.csv").read_bytes(),
        "threshold and temperature": [
            line for line in (run / "calibration.json").read_text().splitlines() if "sha256" not in line
        ],
    }


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two runs' `contents` are the same bit for bit."""
    ours, theirs = one["weights"], other["weights"]
    return (
        ours.keys() == theirs.keys()
        and all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)
        and all(one[name] == other[name] for name in one.keys() - {"weights"})
    )


@contextlib.contextmanager
def _training(place: pathlib.Path, run: str) -> Any:
    """The process that begins a run, or resumes it."""
    path = place / run
    flags = (PRESET, *FLAGS, "--data-dir", place / "data", "--run-dir", path)
    command = ("--resume", path) if path.exists() else flags
    with (place / "errors").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-u", "train.py", *map(str, command)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _wait_until_it_trains(process: subprocess.Popen[str]) -> None:
    output: IO[str] = process.stdout  # type: ignore[assignment]
    while (line := output.readline()) and not line.startswith(BEGINS):
        pass


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)


def _killed(place: pathlib.Path, run: str, rng: random.Random, whole: float, number: int) -> Kill | None:
    """Begins or resumes a run and kills it; None where it ended before."""
    moment, in_writing = rng.uniform(0.0, whole), rng.random() < 0.5
    with _training(place, run) as process:
        _wait_until_it_trains(process)
        start = time.monotonic()
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        while process.poll() is None and time.monotonic() - start < moment:
            time.sleep(0.001)
        while in_writing and process.poll() is None and not _half_written(place / run):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        reader.join()
        seconds = time.monotonic() - start
    if process.returncode != -signal.SIGKILL:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        return None
    history, writing = place / run / "history.csv", _half_written(place / run)
    rows = len(history.read_text().splitlines()) - 1 if history.is_file() else 0
    return Kill(number, seconds, max(rows, 0), writing)


def _half_written(run: pathlib.Path) -> str | None:
    """Name of a file whose temporary folder stands in the run directory."""
    for folder in (run, run / "checkpoints"):
        for path in folder.glob(".*"):
            return path.name[1:].rpartition(".")[0]
    return None


def _record(options: Options, kills: list[Kill], same: list[bool], whole: float) -> dict[str, Any]:
    cases = [
        record.Case(
            "kills",
            "s after the process began to train",
            {"ctcov train": timing.spread([kill.seconds for kill in kills])},
            facts={
                "ctcov train": {
                    "runs": len(same),
                    "while a file was written": sum(kill.writing is not None for kill in kills),
                }
            },
        )
    ]
    goals = [
        record.Goal("processes killed", len(kills), options.kills, at_least=True),
        record.Goal("runs that differ from the one that ran through", same.count(False), 0),
    ]
    settings = {
        "preset": PRESET,
        "flags": " ".join(FLAGS),
        "seed": options.seed,
        "seconds_of_training": round(whole, 2),
    }
    return record.make("kills", settings, cases, goals, kills=[dataclasses.asdict(kill) for kill in kills])


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
