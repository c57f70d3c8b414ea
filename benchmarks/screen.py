"""What does `ctcov screen` cost over the bare runtime on a large archive, and does its memory stay flat?

    python -m benchmarks.screen [MODEL] [--slices N] [--bare N] [--json] [--record FILE]

Phantom slices of 256 px that are made as they are read (`benchmarks/phantom_files.py`) are screened by `ctcov screen`
with a worker for each core. The bare runtime reads and decodes slices of the same kind and runs LiteRT on them, in a
thread with an interpreter of its own for each core, without Beam, hashes, tables and resuming; it is timed before and
after. Every measurement is a process of its own. Start, listing and the writing of the results are part of the
screening's time. Memory is resident, read every second between the first tenth of the slices and the end.

Without MODEL, a TFLite file, deep_ct_net_tiny at 96 px with random weights is exported.
"""

import concurrent.futures
import contextlib
import dataclasses
import io
import json
import os
import pathlib
import tempfile
import threading
import time
from typing import Annotated, Any

import tyro

from benchmarks import apart, phantom_files, random_exports, record
from ctcov_tf.edge import runner
from ctcov_tf.images import decode

RATIO, GROWTH = 0.8, 1.05
PRESET, IMAGE_SIZE = "deep_ct_net_tiny", 96
POINTS = 50  # of the memory's curve in the record

_WARM_UP = 64  # slices


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """What is screened."""

    model: Annotated[pathlib.Path | None, tyro.conf.Positional] = None
    """A TFLite file; made for the purpose if not given."""
    slices: int = 100_000
    """Slices of the archive."""
    bare: int = 5_000
    """Slices that the bare runtime answers, before and after."""


def main(options: Options) -> None:
    """Measures, prints and records."""
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or _export(pathlib.Path(folder))
        cores = len(os.sched_getaffinity(0))
        before = apart.run(bare, model, options.bare, cores)
        screened = apart.run(screen, model, options.slices, pathlib.Path(folder))
        after = apart.run(bare, model, options.bare, cores)
    publish(options, before, screened, after)


def bare(model: pathlib.Path, slices: int, cores: int) -> dict[str, float]:
    """Answers slices by LiteRT alone.

    Args:
      model: the TFLite file.
      slices: how many.
      cores: threads, each with an interpreter of one thread.

    Returns:
      Milliseconds a slice: `wall`, and `cpu` of all threads.
    """
    runtimes = [runner.EdgeModel(model, 1) for _ in range(cores)]

    def answer(first: int, numbers: int) -> None:
        for number in range(first, numbers, cores):
            data = phantom_files.slice_file(number)
            runtimes[first](decode.decode_rgb(data, "slice"))

    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        list(pool.map(answer, range(cores), [_WARM_UP] * cores))
        start, used = time.perf_counter(), time.process_time()
        list(pool.map(answer, range(cores), [slices] * cores))
        return _milliseconds(start, used, slices)


def screen(model: pathlib.Path, slices: int, folder: pathlib.Path) -> dict[str, Any]:
    """Screens an archive.

    Args:
      model: the TFLite file.
      slices: of the archive.
      folder: for the results.

    Returns:
      Milliseconds a slice, `wall` and `cpu`; `files`, slices answered; and `memory`, seconds and resident MB.
    """
    from ctcov_tf.screening import command

    phantom_files.register()
    phantom_files.slice_file(0)
    memory: list[tuple[float, float]] = []
    stop = threading.Event()
    start, used = time.perf_counter(), time.process_time()

    def watch() -> None:
        while not stop.wait(1.0):
            memory.append((time.perf_counter() - start, _resident()))

    watching = threading.Thread(target=watch)
    watching.start()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        command.run(f"{phantom_files.PROTOCOL}://{slices}", str(model), str(folder / "results.parquet"), as_json=True)
    taken = _milliseconds(start, used, slices)
    stop.set()
    watching.join()
    return taken | {"files": json.loads(printed.getvalue())["answered"], "memory": memory}


def publish(options: Options, before: dict[str, float], screened: dict[str, Any], after: dict[str, float]) -> None:
    """Makes the record of what was measured and publishes it."""
    memory = screened["memory"]
    seconds = memory[-1][0]
    steady = [megabytes for second, megabytes in memory if second > 0.1 * seconds]
    tenth = max(1, len(steady) // 9)
    growth = _median(steady[-tenth:]) / _median(steady[:tenth])
    bare_wall = (before["wall"] + after["wall"]) / 2
    bare_cpu = (before["cpu"] + after["cpu"]) / 2
    cases = [
        record.Case(
            f"{options.slices} slices",
            "ms a slice",
            {
                "bare LiteRT before": _one(before["wall"]),
                "ctcov screen": _one(screened["wall"]),
                "bare LiteRT after": _one(after["wall"]),
            },
        ),
        record.Case(
            f"{options.slices} slices, all threads",
            "CPU ms a slice",
            {
                "bare LiteRT before": _one(before["cpu"]),
                "ctcov screen": _one(screened["cpu"]),
                "bare LiteRT after": _one(after["cpu"]),
            },
        ),
        record.Case(
            "resident memory of ctcov screen",
            "MB",
            {
                "ctcov screen, second tenth of the time": _one(_median(steady[:tenth])),
                "ctcov screen, last tenth": _one(_median(steady[-tenth:])),
            },
        ),
    ]
    goals = [
        record.Goal("speed of ctcov screen over the bare runtime", round(bare_wall / screened["wall"], 3), RATIO, True),
        record.Goal("the same by processor time", round(bare_cpu / screened["cpu"], 3), RATIO, True),
        record.Goal("memory, last tenth over second tenth", round(growth, 3), GROWTH),
        record.Goal("slices answered", screened["files"], options.slices, True),
    ]
    settings = {
        "model": options.model.name if options.model else f"{PRESET}, {IMAGE_SIZE} px, random weights",
        "slices": options.slices,
        "bare": options.bare,
        "side": phantom_files.SIDE,
        "minutes": round(seconds / 60, 2),
        "load_at_end": os.getloadavg()[0],
    }
    seen = memory[:: max(1, len(memory) // POINTS)]
    curve = {"seconds": [round(second, 1) for second, _ in seen], "mb": [round(size, 1) for _, size in seen]}
    record.publish(record.make("screen", settings, cases, goals, memory=curve), options)


def _export(folder: pathlib.Path) -> pathlib.Path:
    return random_exports.make_apart(folder, PRESET, IMAGE_SIZE, ("float32",)).tflite("float32")


def _milliseconds(start: float, used: float, slices: int) -> dict[str, float]:
    return {
        "wall": 1e3 * (time.perf_counter() - start) / slices,
        "cpu": 1e3 * (time.process_time() - used) / slices,
    }


def _resident() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _one(value: float) -> record.Spread:
    """A single measurement as a spread."""
    return {"median": round(value, 4), "low": round(value, 4), "high": round(value, 4)}


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
