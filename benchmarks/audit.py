"""How do time and memory of `ctcov audit` grow with the number of images?

    python -m benchmarks.audit [--images N ...] [--json] [--record FILE]

Phantoms of 512 px stand in a folder with a `labels.csv`: three slices a patient, three classes, three parts. They are
drawn beforehand, at 192 px, then enlarged and given grain anew. Each point is `ctcov audit FOLDER --out ...` in a
process of its own, whose peak memory is read when it ends. 13,505 is the size of CT-COV19 (Table II). The exponent is
the slope between the first point and the last in logarithms: 1 is a straight line.
"""

import concurrent.futures
import contextlib
import csv
import dataclasses
import io
import math
import os
import pathlib
import resource
import tempfile
import time

import cv2
import numpy as np
import tqdm
import tyro

from benchmarks import apart, record
from ctcov_tf.audit import command
from tfds_ctcov19.phantom import scanner

SIZE, DRAWN = 512, 192  # pixels
GRAIN = 4.0  # grey levels
IMAGES = (1000, 4000, 13_505)
MINUTES, MEGABYTES, EXPONENT = 10, 2048, 1.1

_PARTS = ("train", "train", "train", "train", "validation", "test")  # of six patients of each class


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """How many images."""

    images: tuple[int, ...] = IMAGES
    """Images of each point."""
    cache: pathlib.Path | None = None
    """Folder in which phantoms are kept for the next run; a temporary one if not given."""


def main(options: Options) -> None:
    """Measures the points and publishes the record."""
    with tempfile.TemporaryDirectory() as temporary:
        drawn = options.cache or pathlib.Path(temporary) / "phantoms"
        draw(drawn, max(options.images))
        points = [apart.run(_audit, _folder(pathlib.Path(temporary), drawn, images)) for images in options.images]
    seconds, processor, megabytes = map(list, zip(*points, strict=True))
    steps = math.log(options.images[-1] / options.images[0])
    goals = [
        record.Goal(f"minutes for {options.images[-1]} images", seconds[-1] / 60, MINUTES),
        record.Goal(f"peak MB for {options.images[-1]} images", megabytes[-1], MEGABYTES),
    ]
    if steps:
        exponent = math.log(processor[-1] / processor[0]) / steps
        goals.append(record.Goal("exponent of the processor's time by images", round(exponent, 3), EXPONENT))
    cases = [
        record.Case(
            name,
            unit,
            {f"ctcov, {images} images": _one(value) for images, value in zip(options.images, values, strict=True)},
        )
        for name, unit, values in (
            ("ctcov audit", "s", seconds),
            ("ctcov audit, all threads", "s of the processor", processor),
            ("ctcov audit, peak memory", "MB", megabytes),
        )
    ]
    settings = {"size": SIZE, "images": list(options.images), "cores": len(os.sched_getaffinity(0))}
    record.publish(record.make("audit", settings, cases, goals), options)


def draw(folder: pathlib.Path, images: int) -> None:
    """Draws phantoms that are not there yet, on all cores.

    Args:
      folder: for the PNG files.
      images: how many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [index for index in range(images) if not _path(folder, index).is_file()]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        writing = pool.map(_draw, missing, [folder] * len(missing), chunksize=16)
        for _ in tqdm.tqdm(writing, desc="draw phantoms", total=len(missing), unit="image", leave=False):
            pass


def _draw(index: int, folder: pathlib.Path) -> None:
    cv2.setNumThreads(1)
    drawn = scanner.scan(index, (DRAWN, DRAWN)).image
    enlarged = cv2.resize(drawn, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(index).normal(0, GRAIN, enlarged.shape)
    cv2.imwrite(str(_path(folder, index)), np.clip(enlarged + grain, 0, 255).astype(np.uint8))


def _path(folder: pathlib.Path, index: int) -> pathlib.Path:
    return folder / f"{index:05}.png"


def _folder(place: pathlib.Path, drawn: pathlib.Path, images: int) -> pathlib.Path:
    """A folder with a table and links to the first phantoms."""
    folder = place / f"of_{images}"
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["file", "class", "split", "patient", "source"])
        for index in range(images):
            patient = index // scanner.SLICES_PER_PATIENT
            path = _path(drawn, index)
            (folder / path.name).symlink_to(path.resolve())
            label, part = (
                scanner.CLASSES[patient % len(scanner.CLASSES)],
                _PARTS[patient // len(scanner.CLASSES) % len(_PARTS)],
            )
            rows.writerow([path.name, label, part, f"p{patient}", "synthetic"])
    return folder


def _audit(folder: pathlib.Path) -> tuple[float, float, float]:
    """Seconds of an audit, page included, those of the processor, and the process's peak memory in MB."""
    start, used = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        command.run(str(folder), out=folder / "audit")
    seconds, processor = time.perf_counter() - start, time.process_time() - used
    return round(seconds, 2), round(processor, 2), round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _one(value: float) -> record.Spread:
    """A single measurement as a spread."""
    return {"median": value, "low": value, "high": value}


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
