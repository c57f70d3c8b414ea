"""What does the pre-processing cost beside the same steps in an OpenCV loop?

    python -m benchmarks.preprocessing [--image-size 256] [--native-size 512] [--json] [--record FILE]

CPU time on one core of one image, step by step and whole. The graph code runs as in training, one image at a time
inside a `tf.data` pipeline; the loop runs in Python, as OpenCV is used. The two take turns. `tf.data` costs
something even where nothing is done to the image: that row is taken off the graph's figures.
"""

from collections.abc import Callable
import dataclasses
import json
import pathlib
import time
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
import tyro

from ctcov_tf import files
from ctcov_tf.preprocessing.blur import blur
from ctcov_tf.preprocessing.equalise import equalise
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.preprocessing.resize import resize
from ctcov_tf.preprocessing.standardise import standardise

BOUND = 2.5  # of the whole, graph over OpenCV
IDLE = "tf.data alone"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured."""

    native_size: int = 512
    """Side of the image as it comes, pixels."""
    image_size: int = 256
    """Side of the image that the network sees, pixels."""
    images: int = 100
    """Images a round."""
    rounds: int = 9
    """Rounds, OpenCV and graph taking turns."""
    json: bool = False
    """Print JSON instead of a table."""
    record: pathlib.Path | None = None
    """File to write the figures to as JSON."""


def main(settings: Settings) -> None:
    """Measures and prints."""
    cv2.setNumThreads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    result = measure(settings)
    if settings.record:
        files.write_json(settings.record, result)
    print(json.dumps(result, indent=2) if settings.json else table(result))


def measure(settings: Settings) -> dict[str, Any]:
    """CPU milliseconds an image: median, least and most over the rounds, and the ratio of the medians.

    Args:
      settings: sizes and repetitions.

    Returns:
      The settings' sizes, `steps` (name to figures) and the bound on the whole.
    """
    rounds: dict[str, dict[str, list[float]]] = {}
    contestants = [
        (step, side, _repeat(run, settings.images) if side == "opencv" else _pipeline(run, image, settings.images))
        for step, (reference, graph, image) in _steps(settings).items()
        for side, run in (("opencv", reference), ("graph", graph))
        if run
    ]
    for _, _, run in contestants:
        run()
    for _ in range(settings.rounds):
        for step, side, run in contestants:
            start = time.process_time()
            run()
            elapsed = 1e3 * (time.process_time() - start) / settings.images
            rounds.setdefault(step, {}).setdefault(side, []).append(elapsed)
    idle = float(np.median(rounds.pop(IDLE)["graph"]))
    steps = {step: _figures(times["opencv"], np.array(times["graph"]) - idle) for step, times in rounds.items()}
    sizes = {"native_size": settings.native_size, "image_size": settings.image_size}
    return {**sizes, "rounds": settings.rounds, "tf_data_ms": idle, "bound": BOUND, "steps": steps}


def table(result: dict[str, Any]) -> str:
    """The figures as a text table."""
    lines = [
        f"One image, {result['native_size']} to {result['image_size']} px, one core, CPU ms: median (least to most)",
        f"{'step':14}{'OpenCV loop':>24}{'graph':>24}{'ratio':>8}",
    ]
    for step, figures in result["steps"].items():
        cells = ["{median:.3f} ({least:.3f} to {most:.3f})".format(**figures[side]) for side in ("opencv", "graph")]
        lines.append(f"{step:14}{cells[0]:>24}{cells[1]:>24}{figures['ratio']:>8.2f}")
    lines.append(f"tf.data alone, taken off the graph's figures: {result['tf_data_ms']:.3f}")
    ratio = result["steps"]["all"]["ratio"]
    lines.append(f"bound on all: {result['bound']}: {'kept' if ratio <= result['bound'] else 'exceeded'}")
    return "\n".join(lines)


def _steps(settings: Settings) -> dict[str, tuple[Callable | None, Callable, np.ndarray]]:
    """Name to OpenCV's form, the graph's form and its input."""
    size = settings.image_size
    native = _scan(settings.native_size)
    resized = cv2.resize(native, (size, size))
    native_batch, resized_batch = (image[np.newaxis, ..., np.newaxis] for image in (native, resized))
    levels = resized_batch.astype(np.float32)
    fixed = lambda step: lambda images: step(tf.ensure_shape(images, levels.shape))  # noqa: E731
    return {
        IDLE: (None, tf.identity, native_batch),
        "equalise": (lambda: cv2.equalizeHist(native), equalise, native_batch),
        "resize": (
            lambda: cv2.resize(native, (size, size)),
            lambda images: resize(images, size),
            native_batch.astype(np.float32),
        ),
        "blur": (lambda: cv2.GaussianBlur(resized, (3, 3), 0), fixed(blur), levels),
        "standardise": (
            lambda: _standardise_with_numpy(resized),
            fixed(lambda images: tf.repeat(standardise(images), 3, axis=-1)),
            levels,
        ),
        "all": (lambda: _preprocess_with_opencv(native, size), Preprocess(size), native_batch),
    }


def _preprocess_with_opencv(image: np.ndarray, size: int) -> np.ndarray:
    resized = cv2.resize(cv2.equalizeHist(image), (size, size))
    return _standardise_with_numpy(cv2.GaussianBlur(resized, (3, 3), 0))


def _standardise_with_numpy(image: np.ndarray) -> np.ndarray:
    levels = image.astype(np.float32)
    return np.repeat(((levels - levels.mean()) / levels.std())[..., np.newaxis], 3, axis=-1)


def _scan(side: int) -> np.ndarray:
    """A smooth dim image, uint8 (side, side)."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    return cv2.equalizeHist(cv2.GaussianBlur(noise, (0, 0), 5)) // 2 + 30


def _repeat(run: Callable, times: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            run()

    return repeated


def _pipeline(step: Callable, image: np.ndarray, times: int) -> Callable[[], tf.Tensor]:
    """The step over `times` copies of the image, without Python in between."""
    dataset = tf.data.Dataset.from_tensors(image).repeat(times).map(step)
    first_value = lambda total, result: total + tf.cast(tf.reshape(result, [-1])[0], tf.float32)  # noqa: E731
    return tf.function(lambda: dataset.reduce(0.0, first_value))


def _figures(opencv: list[float], graph: np.ndarray) -> dict[str, Any]:
    sides = {"opencv": np.array(opencv), "graph": graph}
    figures: dict[str, Any] = {
        side: {"median": float(np.median(times)), "least": float(times.min()), "most": float(times.max())}
        for side, times in sides.items()
    }
    return {**figures, "ratio": figures["graph"]["median"] / figures["opencv"]["median"]}


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
