"""How long does an image take in each form of the network, ours and others'?

    python -m benchmarks.inference [--preset NAME ...] [--batch-size N ...] [--rounds N] [--json] [--record FILE]

From pre-processed images to logits, on the same weights: every float32 form must give the same logits before anything
is timed. The forms take turns; medians and quartiles are over the rounds. `of roofline` is the network's arithmetic
over its time, as a share of the processor's best matrix product in that arithmetic (`benchmarks/roofline.py`). A last
case shows our whole files, from an image of 512 x 512 as it is decoded. Weights are random with settled batch norms:
what the faster forms cost in accuracy is `export.py`'s to say, on a trained network.
"""

from collections.abc import Callable
import dataclasses
import os
import pathlib
import tempfile
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tyro

from benchmarks import our_forms, peer_forms, random_network, record, roofline, timing
from benchmarks.our_forms import Form
from ctcov_tf import config as config_lib
from ctcov_tf import configs, errors
from ctcov_tf.models import summary

SAME = 1e-3  # largest difference of a float32 form's logits, as a share of the largest logit
NATIVE_SIZE = 512  # of the image for whole files, pixels
SAVED_MODEL_GOAL = 1.5  # times OpenVINO's, bfloat16, at batch 16
TFLITE_GOAL = 1.0  # times OpenVINO's, int8, at batch 1
PAUSE = 0.05  # seconds before a turn: threads of the one before it spin for some milliseconds


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """Which networks, and how often."""

    preset: tuple[str, ...] = ("deep_ct_net_slim", "deep_ct_net")
    """Presets whose networks are measured."""
    batch_size: tuple[int, ...] = (1, 16)
    """Images a call."""
    image_size: int = config_lib.IMAGE_SIZE
    """Side of the pre-processed images, pixels."""
    whole: bool = True
    """Measure our whole files too, pre-processing inside."""
    rounds: int = 15
    """Measured rounds."""
    threads: int = len(os.sched_getaffinity(0))
    """Threads of every runtime."""
    cpu_time: bool = False
    """The processor's time instead of the clock's: on a busy machine, with --threads 1."""

    @property
    def unit(self) -> str:
        """Of the values."""
        return f"ms{' of the processor' * self.cpu_time} an image"

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds."""
        return time.process_time if self.cpu_time else time.perf_counter


@errors.exit_cleanly
def main() -> None:
    """Measures every preset and prints the result."""
    options = tyro.cli(Options, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    peak = roofline.measure()
    cases: list[record.Case] = []
    goals: list[record.Goal] = []
    skipped: dict[str, str] = {}
    for preset in options.preset:
        for batch in options.batch_size:
            keras.backend.clear_session()
            with tempfile.TemporaryDirectory() as folder:
                case = measure(preset, batch, options, peak["gflops"], skipped, pathlib.Path(folder))
            cases.append(case)
            goals += goals_of(case, batch)
        if options.whole:
            cases.append(measure_whole(preset, options))
    settings = {name: getattr(options, name) for name in ("image_size", "rounds", "threads", "cpu_time")}
    made = record.make("inference", settings, cases, goals, roofline=peak, skipped=skipped)
    record.publish(made, options)


def measure(
    preset: str,
    batch: int,
    options: Options,
    gflops: dict[str, float],
    skipped: dict[str, str],
    folder: pathlib.Path,
) -> record.Case:
    """Times all forms of one network at one batch size.

    Args:
      preset: whose network.
      batch: images a call.
      options: image size, rounds and threads.
      gflops: the roofline, by arithmetic.
      skipped: takes the reason by the name of each peer that is missing.
      folder: for files.

    Returns:
      Milliseconds an image.

    Raises:
      CtcovError: a float32 form gives other logits.
    """
    config = configs.load(preset).model
    assert isinstance(config, config_lib.DeepCTNetConfig), f"{preset}: no preset of Deep-CT-Net"
    model = random_network.build(config, options.image_size)
    shape = (batch, options.image_size, options.image_size, 3)
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = np.asarray(model(images, training=False))

    forms = our_forms.saved_models(model, folder)
    if batch == 1:
        forms += our_forms.tflite_files(model, folder, options.threads)
    forms += our_forms.stock_keras(model, images)
    peers: dict[str, Callable[[], list[Form]]] = {
        "PyTorch": lambda: peer_forms.pytorch(model, config, batch, options.threads),
        "ONNX Runtime": lambda: peer_forms.onnx_runtime(model, config, batch, options.threads, folder),
        "OpenVINO": lambda: peer_forms.openvino(model, batch, options.threads, folder),
    }
    for name, make in peers.items():
        try:
            forms += make()
        except errors.CtcovError as error:
            skipped[name] = errors.one_line(error)
            print(f"{name} is left out: {skipped[name]}")
    differences = {form.name: difference(form.answer(images), expected) for form in forms}
    for form in forms:
        # float16 and 8-bit weights are in TFLite files that compute in float32, or in part
        exact = form.precision == "float32" and "float16" not in form.name
        if exact and not differences[form.name] <= SAME:
            raise errors.CtcovError(f"{form.name}: logits differ by {differences[form.name]:.1e}: nothing to compare")

    turns = {form.name: lambda form=form: form.answer(images) for form in forms}
    seconds = timing.in_turns(turns, options.rounds, warm_up=2, pause=PAUSE, clock=options.clock)
    flop = summary.describe(model)["gflops"]
    facts: dict[str, dict[str, Any]] = {}
    for form in forms:
        reached = flop * batch / float(np.median(seconds[form.name]))
        facts[form.name] = {"MB": form.megabytes} if form.megabytes else {}
        facts[form.name] |= {"GFLOP/s": round(reached), "difference": float(f"{differences[form.name]:.1e}")}
        if form.precision in gflops:
            facts[form.name]["of roofline"] = round(reached / gflops[form.precision], 2)
    return record.Case(
        f"{preset}, {options.image_size} px, batch {batch}",
        options.unit,
        {name: timing.spread(values, 1e3 / batch) for name, values in seconds.items()},
        _ratios(seconds),
        facts,
    )


def measure_whole(preset: str, options: Options) -> record.Case:
    """Times our whole files on one raw image, pre-processing inside.

    Args:
      preset: whose network.
      options: image size, rounds and threads.

    Returns:
      Milliseconds an image.
    """
    keras.backend.clear_session()
    model = random_network.build(configs.load(preset).model, options.image_size)
    noise = np.random.default_rng(0).normal(128, 40, (1, NATIVE_SIZE, NATIVE_SIZE, 3))
    image = np.uint8(np.clip(noise, 0, 255))
    with tempfile.TemporaryDirectory() as folder:
        forms = our_forms.saved_models(model, pathlib.Path(folder), whole=True)
        forms += our_forms.tflite_files(model, pathlib.Path(folder), options.threads, whole=True)
        turns = {form.name: lambda form=form: form.answer(image) for form in forms}
        seconds = timing.in_turns(turns, options.rounds, warm_up=2, pause=PAUSE, clock=options.clock)
    values = {name: timing.spread(of, 1e3) for name, of in seconds.items()}
    return record.Case(f"{preset}, whole file, one image of {NATIVE_SIZE} px", options.unit, values)


def difference(logits: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, as a share of the largest expected logit."""
    return float(np.max(np.abs(logits - expected)) / np.max(np.abs(expected)))


def goals_of(case: record.Case, batch: int) -> list[record.Goal]:
    """The goals that a case can decide."""
    bounds = {
        16: ("ctcov SavedModel bfloat16 / OpenVINO bfloat16", SAVED_MODEL_GOAL),
        1: ("ctcov TFLite int8 / OpenVINO int8", TFLITE_GOAL),
    }
    name, bound = bounds.get(batch, ("", 0.0))
    if name not in case.ratios:
        return []
    return [record.Goal(f"{case.name}: {name}", case.ratios[name]["median"], bound)]


def _ratios(seconds: dict[str, list[float]]) -> dict[str, record.Spread]:
    """Ours over others', of the same arithmetic, and over Keras as shipped."""
    pairs = [
        (ours, other)
        for precision in ("float32", "bfloat16", "int8")
        for ours in (f"ctcov SavedModel {precision}", f"ctcov TFLite {precision}")
        for other in (f"OpenVINO {precision}", f"ONNX Runtime {precision}", f"PyTorch {precision}")
    ]
    pairs += [("Keras predict_on_batch float32", f"ctcov SavedModel {form}") for form in ("float32", "bfloat16")]
    return {
        f"{ours} / {other}": timing.ratio(seconds[ours], seconds[other])
        for ours, other in pairs
        if ours in seconds and other in seconds
    }


if __name__ == "__main__":
    main()
