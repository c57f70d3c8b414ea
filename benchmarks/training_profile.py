"""What holds a training step? Time of its kernels by kind, and the same convolutions in TensorFlow and PyTorch.

    python -m benchmarks.training_profile [--preset NAME] [--batch-size N] [--rounds N] [--json] [--record FILE]

The profile is TensorFlow's own, of `--steps` steps of ours in bfloat16. Kernels run side by side, so that their times
add up to more than a step. The convolutions are those of one dense layer in each block of DenseNet-121 at 256 px, as
both libraries call oneDNN for them: forward, gradient of the input, gradient of the filter.
"""

import collections
from collections.abc import Callable, Iterator
import dataclasses
import pathlib
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tyro

from benchmarks import record, roofline, timing
from ctcov_tf import configs
from ctcov_tf.models import registry
from ctcov_tf.training.fused_adam import FusedAdam

IMAGE_SIZE = 256
KINDS = {
    "Conv2DBackpropFilter": "convolution, gradient of the filter",
    "Conv2DBackpropInput": "convolution, gradient of the input",
    "Conv2D": "convolution, forward",
    "FusedBatchNormGradV3": "batch norm, gradient",
    "FusedBatchNormEx": "batch norm and ReLU, forward",
    "FusedBatchNormV3": "batch norm, forward",
    "ReluGrad": "ReLU, gradient",
    "ConcatV2": "concatenation",
    "Slice": "concatenation, gradient",
    "AddN": "sums of gradients",
    "ResourceApplyAdam": "Adam",
    "Cast": "casts",
}
LAYERS = ((64, 192), (32, 320), (16, 640), (8, 768))  # side of the map and channels, in each block
BOTTLENECK, GROWTH = 128, 32
REPEATS = 20  # of a convolution in a turn: threads of the one before it spin, and its own have to wake


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """What is profiled, and how often."""

    preset: str = "deep_ct_net_slim"
    """Preset whose network is profiled."""
    batch_size: int = 16
    """Images a step."""
    steps: int = 3
    """Profiled steps."""
    rounds: int = 9
    """Measured rounds of each convolution."""


def main(options: Options) -> None:
    """Profiles, times the convolutions and publishes the record."""
    kernels = profile(options.preset, options.batch_size, options.steps)
    cases = [
        record.Case(
            f"kernels of a step, {options.preset}, batch {options.batch_size}, bfloat16",
            "ms of the kernels' own time",
            {kind: timing.spread(values, 1e3) for kind, values in kernels.items()},
        ),
        *_convolutions(options.batch_size, options.rounds),
    ]
    settings = {"steps": options.steps, "rounds": options.rounds, "threads": roofline.threads()}
    record.publish(record.make("training_profile", settings, cases, []), options)


def profile(preset: str, batch_size: int, steps: int) -> dict[str, list[float]]:
    """Kernel time by kind.

    Args:
      preset: name of the preset.
      batch_size: images a step.
      steps: profiled steps.

    Returns:
      Seconds of each step by kind, the largest first.
    """
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = registry.build(registry.without_weights(configs.load(preset).model), IMAGE_SIZE, 1)
    keras.config.set_dtype_policy("float32")
    model.compile(FusedAdam(1e-5), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    images = tf.random.normal((batch_size, IMAGE_SIZE, IMAGE_SIZE, 3))
    targets = tf.cast(tf.range(batch_size)[:, tf.newaxis] % 2, tf.float32)
    for _ in range(2):
        model.train_on_batch(images, targets)
    spent: dict[str, list[float]] = collections.defaultdict(lambda: [0.0] * steps)
    for step in range(steps):
        with tempfile.TemporaryDirectory() as folder:
            with tf.profiler.experimental.Profile(folder):
                model.train_on_batch(images, targets)
            for kind, seconds in _kernels(pathlib.Path(folder)):
                spent[kind][step] += seconds
    return dict(sorted(spent.items(), key=lambda item: -np.median(item[1])))


def _kernels(folder: pathlib.Path) -> Iterator[tuple[str, float]]:
    """Kind and seconds of each kernel in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                operator = name.rpartition(":")[2].removeprefix("_").removeprefix("MklNative")
                if ":" in name and operator in KINDS:
                    yield KINDS[operator], event.duration_ps * 1e-12


def _convolutions(batch_size: int, rounds: int) -> list[record.Case]:
    cases = []
    for side, channels in LAYERS:
        for kernel, inputs, outputs in ((1, channels, BOTTLENECK), (3, BOTTLENECK, GROWTH)):
            shape = (batch_size, side, inputs, outputs, kernel)
            runs = {f"ctcov (TensorFlow), {name}": run for name, run in _in_tensorflow(*shape).items()}
            runs |= {f"PyTorch, {name}": run for name, run in _in_torch(*shape).items()}
            contestants = {name: _repeated(run) for name, run in runs.items()}
            seconds = timing.in_turns(contestants, rounds)
            gflop = 2e-9 * batch_size * side**2 * inputs * outputs * kernel**2
            cases.append(
                record.Case(
                    f"{kernel} x {kernel}, {side} x {side}, {inputs} to {outputs} channels, batch {batch_size}",
                    "ms",
                    {name: timing.spread(values, 1e3 / REPEATS) for name, values in seconds.items()},
                    facts={
                        name: {"GFLOP/s": round(REPEATS * gflop / np.median(values))}
                        for name, values in seconds.items()
                    },
                )
            )
    return cases


def _repeated(run: Callable[[], Any]) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(REPEATS):
            run()

    return repeated


def _in_tensorflow(batch_size: int, side: int, inputs: int, outputs: int, kernel: int) -> dict[str, Callable[[], Any]]:
    def random(*shape: int) -> tf.Tensor:
        return tf.cast(tf.random.normal(shape), tf.bfloat16)

    maps, gradients = (random(batch_size, side, side, channels) for channels in (inputs, outputs))
    weights = random(kernel, kernel, inputs, outputs)
    same: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    raw = tf.raw_ops
    return {
        "forward": tf.function(lambda: raw.Conv2D(input=maps, filter=weights, **same)),
        "gradient of the input": tf.function(
            lambda: raw.Conv2DBackpropInput(input_sizes=tf.shape(maps), filter=weights, out_backprop=gradients, **same)
        ),
        "gradient of the filter": tf.function(
            lambda: raw.Conv2DBackpropFilter(input=maps, filter_sizes=tf.shape(weights), out_backprop=gradients, **same)
        ),
    }


def _in_torch(batch_size: int, side: int, inputs: int, outputs: int, kernel: int) -> dict[str, Callable[[], Any]]:
    """The same in PyTorch, channels last; nothing where it is not installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return {}
    torch.set_num_threads(roofline.threads())

    def random(*shape: int) -> Any:
        return torch.randn(shape).bfloat16().to(memory_format=torch.channels_last)

    maps, gradients = (random(batch_size, channels, side, side) for channels in (inputs, outputs))
    weights = random(outputs, inputs, kernel, kernel)
    padding = kernel // 2

    def backward(*wanted: bool) -> Callable[[], Any]:
        settings = None, [1, 1], [padding, padding], [1, 1], False, [0, 0], 1, [*wanted, False]
        return lambda: torch.ops.aten.convolution_backward(gradients, maps, weights, *settings)

    return {
        "forward": lambda: torch.nn.functional.conv2d(maps, weights, padding=padding),
        "gradient of the input": backward(True, False),
        "gradient of the filter": backward(False, True),
    }


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
