"""How do time and memory grow: of training with image size and batch, of evaluation with the number of images?

    python -m benchmarks.growth [--rounds N] [--json] [--record FILE]

Each point is a process of its own, whose peak memory is read when it ends. Training is a step of `deep_ct_net_slim` in
the precision of `--precision auto`. Evaluation is all that `ctcov evaluate` does on a test part, report and figures
included, of a small network on small images of noise: the network's own share is proportional to the images and is
measured by `benchmarks.inference`. 13,505 is the size of CT-COV19 (Table II).

A point's exponent is the slope between it and the first point in logarithms: 1 is a straight line, below is better.
"""

import dataclasses
import math
import pathlib
import tempfile
from typing import Any

import numpy as np
import tyro

from benchmarks import apart, growing_evaluation, record, roofline, timing
from ctcov_tf import files

PRESET = "deep_ct_net_slim"
IMAGE_SIZES = (96, 128, 192, 256, 320)  # at BATCH_SIZE
BATCH_SIZES = (4, 8, 16, 32)  # at IMAGE_SIZE
IMAGE_SIZE, BATCH_SIZE = 256, 16
EVALUATED_IMAGES = (500, 1000, 3000, 6000, 13_505)
GOAL = 1.1  # exponent of the last point; the rest is what a measurement scatters by


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """How often."""

    rounds: int = 5
    """Measured steps of a point of training."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of one quantity that grows.

    Attributes:
      name: what grows with what.
      along: unit of `amounts`.
      amounts: pixels, images.
      seconds: at each amount.
      megabytes: peak of the process at each amount.
      base_megabytes: of a process that has loaded everything and done nothing.
    """

    name: str
    along: str
    amounts: list[int]
    seconds: list[float]
    megabytes: list[float]
    base_megabytes: float

    def exponents(self) -> dict[str, float]:
        """Slope in logarithms from the first point to the last, of time and of memory above the base."""
        above = [value - self.base_megabytes for value in self.megabytes]
        steps = math.log(self.amounts[-1] / self.amounts[0])
        return {
            "time": round(math.log(self.seconds[-1] / self.seconds[0]) / steps, 3),
            "memory": round(math.log(max(above[-1], 1) / max(above[0], 1)) / steps, 3),
        }


def main(options: Options) -> None:
    """Measures one curve after the other, and writes the record anew after each."""
    curves: list[Curve] = []
    for measure in (_by_images, _by_batch, _by_size):
        curves.append(measure(options.rounds))
        made = _record(curves, options)
        if options.record:
            files.write_json(options.record, made)
            _plot(curves, options.record.with_suffix(".png"))
    record.publish(made, dataclasses.replace(options, record=None))
    for curve in curves:
        rows = zip(curve.amounts, curve.seconds, curve.megabytes, strict=True)
        print(curve.name, *(f"  {amount:>8}: {spent:8.2f} s {peak:8.0f} MB" for amount, spent, peak in rows), sep="\n")


def _by_images(_: int) -> Curve:
    with tempfile.TemporaryDirectory() as folder:
        empty = apart.run(growing_evaluation.measure, folder, growing_evaluation.FITTED_IMAGES)[1]
        found = [apart.run(growing_evaluation.measure, folder, images) for images in EVALUATED_IMAGES]
    return _curve("ctcov evaluate, by images", "images of the test part", list(EVALUATED_IMAGES), found, empty)


def _by_batch(rounds: int) -> Curve:
    found = [apart.run(_step, IMAGE_SIZE, size, rounds) for size in BATCH_SIZES]
    name = f"a training step, {IMAGE_SIZE} px, by batch"
    return _curve(name, "images a batch", list(BATCH_SIZES), found, _least_step())


def _by_size(rounds: int) -> Curve:
    found = [apart.run(_step, size, BATCH_SIZE, rounds) for size in IMAGE_SIZES]
    name = f"a training step, batch {BATCH_SIZE}, by image size"
    return _curve(name, "pixels of a side squared", [size**2 for size in IMAGE_SIZES], found, _least_step())


def _least_step() -> float:
    """Peak megabytes of a process that trains on next to nothing."""
    return apart.run(_step, 32, 2, 1)[1]


def _record(curves: list[Curve], options: Options) -> dict[str, Any]:
    goals = [
        record.Goal(f"exponent of {kind} of {curve.name}", value, GOAL)
        for curve in curves
        for kind, value in curve.exponents().items()
    ]
    settings = {"preset": PRESET, "rounds": options.rounds, "threads": roofline.threads()}
    points = [dataclasses.asdict(curve) | {"exponents": curve.exponents()} for curve in curves]
    return record.make("growth", settings, [], goals, curves=points)


def _curve(name: str, along: str, amounts: list[int], points: list[tuple[float, float]], base: float) -> Curve:
    seconds, megabytes = map(list, zip(*points, strict=True))
    return Curve(name, along, amounts, seconds, megabytes, base)


def _step(image_size: int, batch_size: int, rounds: int) -> tuple[float, float]:
    """Median seconds of a training step, and the process's peak memory."""
    import keras
    import tensorflow as tf

    from ctcov_tf import configs
    from ctcov_tf.models import registry
    from ctcov_tf.training import precision
    from ctcov_tf.training.fused_adam import FusedAdam

    keras.config.set_dtype_policy(precision.resolve("auto"))
    model = registry.build(registry.without_weights(configs.load(PRESET).model), image_size, 1)
    model.compile(FusedAdam(1e-5), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    images = tf.random.normal((batch_size, image_size, image_size, 3))
    targets = tf.cast(tf.range(batch_size)[:, tf.newaxis] % 2, tf.float32)
    seconds = timing.in_turns({"step": lambda: model.train_on_batch(images, targets)}, rounds, warm_up=2)["step"]
    return float(np.median(seconds)), growing_evaluation.peak_megabytes()


def _plot(curves: list[Curve], path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(curves), figsize=(4 * len(curves), 6), squeeze=False)
    for column, curve in enumerate(curves):
        for axis, values, unit in zip(axes[:, column], (curve.seconds, curve.megabytes), ("s", "MB"), strict=True):
            axis.plot(curve.amounts, values, "o-", color="tab:blue", label="ctcov")
            axis.plot([0, curve.amounts[-1]], [0, values[-1]], ":", color="tab:gray", label="straight line")
            axis.set(xlabel=curve.along, ylabel=unit, xlim=(0, None), ylim=(0, None))
            axis.spines[["top", "right"]].set_visible(False)
        axes[0, column].set_title(curve.name, fontsize=10)
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    with files.atomic_path(path) as written:
        figure.savefig(written, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
