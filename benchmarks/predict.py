"""How long a whole `ctcov predict` process takes, and what memory: `python -m benchmarks.predict MODEL IMAGE`.

Bounds for a TFLite file: 0.6 s and 400 MB. Other rows say where the time goes.
"""

import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Annotated

import tyro

SECONDS, MEGABYTES = 0.6, 400
CTCOV = pathlib.Path(sys.executable).with_name("ctcov")


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one process took.

    Attributes:
      seconds: from start to end.
      cpu_seconds: user and system, all threads.
      megabytes: largest resident set.
    """

    seconds: float
    cpu_seconds: float
    megabytes: float


def measure(command: list[str]) -> Usage:
    """Runs a process to its end.

    Raises:
      CalledProcessError: it failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def benchmark(
    model: Annotated[pathlib.Path, tyro.conf.Positional],
    image: Annotated[pathlib.Path, tyro.conf.Positional],
    repeats: int = 10,
) -> None:
    """Prints the table; medians over `repeats` rounds, the commands taking turns, after one to warm up.

    Args:
        model: What `ctcov predict` opens.
        image: An image file.
        repeats: Rounds.
    """
    python = [sys.executable, "-c"]
    commands = {
        "python, nothing imported": [*python, "pass"],
        "imports of ctcov predict": [*python, "import ctcov_tf.cli, ctcov_tf.predict"],
        "ctcov predict": [str(CTCOV), "predict", str(model), str(image)],
        "ctcov predict --json": [str(CTCOV), "predict", str(model), str(image), "--json"],
    }
    rounds = [{name: measure(command) for name, command in commands.items()} for _ in range(repeats + 1)][1:]
    print(f"{model} ({model.stat().st_size / 1e6:.1f} MB), {repeats} rounds, {os.cpu_count()} processors\n")
    print("| process | s, median | s, longest | CPU s | MB |\n| --- | ---: | ---: | ---: | ---: |")
    for name in commands:
        used = [one[name] for one in rounds]
        median, longest = statistics.median(one.seconds for one in used), max(one.seconds for one in used)
        cpu, memory = statistics.median(one.cpu_seconds for one in used), max(one.megabytes for one in used)
        print(f"| {name} | {median:.2f} | {longest:.2f} | {cpu:.2f} | {memory:.0f} |")
    print(f"\nbound of ctcov predict with a TFLite file: {SECONDS} s, {MEGABYTES} MB")


if __name__ == "__main__":
    tyro.cli(benchmark, description=__doc__)
