"""What a TFLite file costs on this machine: time to start, time of an answer, memory, size."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

from ctcov_tf import errors
from ctcov_tf.edge import runner
from ctcov_tf.progress import Bar

PERCENTILES = (50, 90, 99)


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
      model: name of the file.
      file_megabytes: its size, MB of 10^6 bytes.
      threads: threads of LiteRT.
      image_size: side of the image that was answered, pixels.
      rounds: answers timed.
      start_seconds: from the start of a process to its first answer; the file was in the system's cache.
      latency_ms: percentiles of the time of an answer, decoding not included, by name: `p50`, `p90`, `p99`.
      megabytes: largest memory of that process, MiB; None where the system does not tell it.
    """

    model: str
    file_megabytes: float
    threads: int
    image_size: int
    rounds: int
    start_seconds: float
    latency_ms: dict[str, float]
    megabytes: float | None


def measure(path: pathlib.Path, threads: int | None = None, rounds: int = 50, image_size: int = 512) -> Measurement:
    """Measures in a process of its own, on an image of noise.

    Args:
      path: the `.tflite` file.
      threads: threads that LiteRT may use; by default one for each processor.
      rounds: answers to time, at least 1.
      image_size: side of the image, pixels, at least 1.

    Returns:
      The measurement.

    Raises:
      CtcovError: the file is missing, is no TFLite file of this package, or is damaged.
    """
    runner.read_record(path)
    threads = threads or os.cpu_count() or 1
    command = [
        sys.executable,
        "-m",
        "ctcov_tf.edge.timed_answers",
        str(path),
        str(threads),
        str(rounds),
        str(image_size),
    ]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        start_seconds = time.perf_counter() - start
        lines = list(Bar(process.stdout, total=rounds, unit="answer", desc="answer"))
        _, complaint = process.communicate()
    if process.returncode:
        raise errors.CtcovError((complaint.strip().splitlines() or [f"{path}: stopped"])[-1].removeprefix("error: "))
    seconds = [float(line) for line in lines[:rounds]]
    return Measurement(
        model=path.name,
        file_megabytes=path.stat().st_size / 1e6,
        threads=threads,
        image_size=image_size,
        rounds=rounds,
        start_seconds=start_seconds,
        latency_ms={f"p{share}": float(np.percentile(seconds, share)) * 1e3 for share in PERCENTILES},
        megabytes=float(lines[rounds].split()[1]) if len(lines) > rounds else None,
    )


def as_text(measured: Measurement) -> str:
    """The measurement as a few lines for people."""
    latency = ", ".join(f"{name} {value:.1f}" for name, value in measured.latency_ms.items())
    memory = "not told by this system" if measured.megabytes is None else f"{measured.megabytes:.0f} MiB"
    return (
        f"{measured.model}, {measured.file_megabytes:.2f} MB, {measured.threads} threads\n"
        f"start to first answer  {measured.start_seconds:.2f} s\n"
        f"latency, ms            {latency} "
        f"({measured.rounds} answers, image of {measured.image_size} x {measured.image_size})\n"
        f"largest memory         {memory}"
    )
