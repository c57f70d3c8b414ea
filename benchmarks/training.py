"""How long is a training step of ours beside PyTorch's and stock Keras', on the same processor in the same run?

    python -m benchmarks.training [--preset NAME ...] [--batch-size N ...] [--rounds N] [--json] [--record FILE]

One optimiser step at 256 px on synthetic images, forward, backward and Adam, of the same network with the same weights:

- Keras float32: stock batch normalisation and Adam;
- ctcov float32 and ctcov bfloat16: `FusedBatchNormalization`, `FusedAdam`;
- PyTorch float32 and bfloat16 (autocast): channels last, fused Adam, in-place ReLU, and freed memory kept in the
  process. Without that last one, which PyTorch's tuning guide advises, every large map gets new pages in every step.

Networks and weights are the same: the answers of all are compared before anything is timed. The contestants of one
type take turns step by step, stock Keras among them each time; each type has a process of its own, for memory's sake,
and the record is written anew after each. The share of the roofline is arithmetic done (three times the forward
pass's, counted on our network) over what the processor does in a large matrix product of that type in that time.
bfloat16 takes a processor with instructions for it; without them it is emulated and slow, and left out unless
--emulate says otherwise.
"""

from collections.abc import Callable
import contextlib
import ctypes
import dataclasses
import itertools
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tyro

from benchmarks import apart, record, roofline, stock_batch_norm, timing
from ctcov_tf import configs
from ctcov_tf.models import registry, summary
from ctcov_tf.training.fused_adam import FusedAdam
from ctcov_tf.training.precision import bfloat16_instructions

IMAGE_SIZE = 256
LEARNING_RATE = 1e-5
WARM_UP = 2  # the first step traces the graph
OURS = "ctcov bfloat16"
PEER, STOCK = "PyTorch bfloat16", "Keras float32"
GOAL = 1.2
LARGEST_DIFFERENCE = 2e-3  # of a logit in float32, over the logits' largest

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # mallopt's, from malloc.h

Step = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """Which networks, and how often."""

    preset: tuple[str, ...] = ("deep_ct_net_slim", "deep_ct_net")
    """Presets whose networks are measured."""
    batch_size: tuple[int, ...] = (16, 32)
    """Images a step."""
    rounds: int = 9
    """Measured steps of each contestant."""
    emulate: bool = False
    """Measure bfloat16 also where the processor has no instructions for it."""


def main(options: Options) -> None:
    """Measures every case in a process of its own and publishes the record."""
    types = ("float32", "bfloat16") if options.emulate or bfloat16_instructions() else ("float32",)
    settings = list(itertools.product(options.preset, options.batch_size, types))
    peak = apart.run(roofline.measure)
    shown = {"image_size": IMAGE_SIZE, "rounds": options.rounds, "threads": roofline.threads()}
    cases: list[record.Case] = []
    for number, (preset, batch_size, dtype) in enumerate(settings, 1):
        print(f"{number} of {len(settings)}: {preset}, batch {batch_size}, {dtype}", file=sys.stderr, flush=True)
        cases.append(apart.run(measure, preset, batch_size, dtype, options.rounds, peak["gflops"]))
        if options.record:
            record.write(record.make("training", shown, cases, _goals(cases), roofline=peak), options.record)
    record.publish(record.make("training", shown, cases, _goals(cases), roofline=peak), options)


def _goals(cases: list[record.Case]) -> list[record.Goal]:
    return [
        record.Goal(f"{OURS} over {PEER}, speed, {case.name}", case.ratios[name]["median"], GOAL, at_least=True)
        for case in cases
        if (name := f"{PEER} / {OURS}") in case.ratios
    ]


def measure(preset: str, batch_size: int, dtype: str, rounds: int, peak: dict[str, float]) -> record.Case:
    """Times the contestants of one network and type in turns.

    Args:
      preset: name of the preset.
      batch_size: images a step.
      dtype: `float32` or `bfloat16`.
      rounds: measured steps of each contestant.
      peak: GFLOP/s of a large matrix product by type.

    Returns:
      Milliseconds an image; ratios say how many times as fast ours is.
    """
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch_size, IMAGE_SIZE, IMAGE_SIZE, 3)).astype("float32")
    targets = (np.arange(batch_size)[:, None] % 2).astype("float32")
    config = registry.without_weights(configs.load(preset).model)
    reference = registry.build(config, IMAGE_SIZE, 1)
    gflop = 3 * batch_size * summary.describe(reference)["gflops"]

    ours = f"ctcov {dtype}"
    contestants: dict[str, Step] = {
        STOCK: _keras_step(reference, config, "stock", images, targets),
        ours: _keras_step(reference, config, dtype, images, targets),
    }
    contestants |= _torch_step(reference, config, dtype, images, targets)
    seconds = timing.in_turns(contestants, rounds, warm_up=WARM_UP)

    return record.Case(
        name=f"{preset}, batch {batch_size}, {dtype}",
        unit="ms an image",
        values={name: timing.spread(values, 1e3 / batch_size) for name, values in seconds.items()},
        ratios={
            f"{name} / {ours}": timing.ratio(values, seconds[ours]) for name, values in seconds.items() if name != ours
        },
        facts={
            name: {"share of roofline": f"{gflop / np.median(values) / peak[_dtype(name)]:.0%}"}
            for name, values in seconds.items()
        },
    )


def _dtype(contestant: str) -> str:
    return "bfloat16" if "bfloat16" in contestant else "float32"


def _keras_step(reference: keras.Model, config: Any, variant: str, images: np.ndarray, targets: np.ndarray) -> Step:
    """One `train_on_batch` of a copy of `reference`: `stock`, or ours in a type."""
    keras.config.set_dtype_policy("mixed_bfloat16" if variant == "bfloat16" else "float32")
    with stock_batch_norm.in_place() if variant == "stock" else contextlib.nullcontext():
        model = registry.build(config, images.shape[1], 1)
        model.set_weights(reference.get_weights())
        optimizer = keras.optimizers.Adam if variant == "stock" else FusedAdam
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(optimizer(LEARNING_RATE), loss, jit_compile=False)
        model.train_on_batch(images, targets)  # traced while the stock layers are in place
    keras.config.set_dtype_policy("float32")
    inputs, labels = tf.constant(images), tf.constant(targets)
    return lambda: model.train_on_batch(inputs, labels)


def _torch_step(
    reference: keras.Model, config: Any, dtype: str, images: np.ndarray, targets: np.ndarray
) -> dict[str, Step]:
    """PyTorch's contestant; none where it is not installed, which is said."""
    try:
        import torch

        from benchmarks import torch_network
    except ModuleNotFoundError:
        print("PyTorch is not installed and left out: pip install -e '.[bench]'", file=sys.stderr)
        return {}
    torch.set_num_threads(roofline.threads())
    _keep_memory()
    inputs = torch.from_numpy(np.moveaxis(images, -1, 1)).to(memory_format=torch.channels_last)
    labels = torch.from_numpy(targets)
    network = torch_network.DeepCTNet(config, images.shape[1], 1)
    torch_network.copy_weights(reference, network)
    network = network.to(memory_format=torch.channels_last)
    _check_equal(reference, network.eval(), images[:2])
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16")

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            logits = network(inputs)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {f"PyTorch {dtype}": step}


def _check_equal(reference: keras.Model, network: Any, images: np.ndarray) -> None:
    """Makes sure that both answer alike, before either is timed."""
    import torch

    expected = reference(images, training=False).numpy()
    with torch.inference_mode():
        found = network(torch.from_numpy(np.moveaxis(images, -1, 1))).numpy()
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    assert difference < LARGEST_DIFFERENCE, f"PyTorch's network answers otherwise than ours, by {difference:.1e}"


def _keep_memory() -> None:
    """Lets glibc's malloc give nothing back to the system; TensorFlow keeps its own memory in any case."""
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, -1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
