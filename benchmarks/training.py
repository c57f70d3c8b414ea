"""How much faster is our training step than stock Keras'?

    python -m benchmarks.training [--preset NAME ...] [--steps N] [--json] [--record FILE]

One optimiser step at 256 px on 16 synthetic images, of three variants of the same network:

- stock: Keras' own batch normalisation in float32,
- fused: our batch normalisation in float32,
- bfloat16: our batch normalisation in mixed bfloat16.

The variants take turns step by step, so that a change in the machine's load meets all of them alike;
medians and quartiles are over the steps. Bound: bfloat16 is at least 2.2 times as fast as stock. That
takes a processor with bfloat16 instructions (AVX512-BF16 or AMX): without them oneDNN emulates the
arithmetic, several times slower than float32, and the table says so.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import time
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import tyro

from ctcov_tf import configs, files
from ctcov_tf.layers import FusedBatchNormalization
from ctcov_tf.models import registry
from ctcov_tf.training.precision import bfloat16_instructions

IMAGE_SIZE = 256
BATCH_SIZE = 16
WARM_UP_STEPS = 2  # the first one traces the graph
BOUND = 2.2
PRECISION = {"stock": "float32", "fused": "float32", "bfloat16": "mixed_bfloat16"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Which networks, and how often."""

    preset: tuple[str, ...] = ("deep_ct_net_slim", "deep_ct_net")
    """Presets whose networks are measured."""
    steps: int = 10
    """Measured steps of each variant."""
    json: bool = False
    """Print JSON instead of a table."""
    record: pathlib.Path | None = None
    """File to write the JSON to."""


def main(options: Options) -> None:
    """Measures every preset and prints the result."""
    results = [measure(preset, options.steps) for preset in options.preset]
    record = {
        "benchmark": "training step",
        "image_size": IMAGE_SIZE,
        "batch_size": BATCH_SIZE,
        "bound": BOUND,
        "machine": platform.processor() or platform.machine(),
        "bfloat16_instructions": bfloat16_instructions(),
        "threads": len(os.sched_getaffinity(0)),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "presets": results,
    }
    if options.record:
        files.write_json(options.record, record)
    print(json.dumps(record, indent=2) if options.json else table(results))


def measure(preset: str, steps: int) -> dict[str, Any]:
    """Times the variants of one preset's network in turns.

    Args:
      preset: name of the preset.
      steps: measured steps of each variant.

    Returns:
      Seconds a step (quartiles) and speed over stock of each variant.
    """
    config = registry.without_weights(configs.load(preset).model)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)).astype("float32")
    targets = (np.arange(BATCH_SIZE)[:, None] % 2).astype("float32")
    models = {}
    for variant in PRECISION:
        with _variant(variant):
            model = registry.build(config, IMAGE_SIZE, 1)
            model.compile(
                keras.optimizers.Adam(1e-5), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False
            )
            for _ in range(WARM_UP_STEPS):
                model.train_on_batch(images, targets)
            models[variant] = model
    seconds: dict[str, list[float]] = {variant: [] for variant in models}
    for _ in range(steps):
        for variant, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, targets)
            seconds[variant].append(time.perf_counter() - start)
    stock = np.median(seconds["stock"])
    return {
        "preset": preset,
        "parameters": models["bfloat16"].count_params(),
        "variants": {
            variant: {
                "precision": PRECISION[variant],
                "seconds": [round(float(q), 4) for q in np.quantile(values, [0.25, 0.5, 0.75])],
                "images_per_second": round(BATCH_SIZE / float(np.median(values)), 2),
                "ratio": round(float(stock / np.median(values)), 2),
            }
            for variant, values in seconds.items()
        },
    }


def table(results: list[dict[str, Any]]) -> str:
    """The results as text."""
    lines = [f"{'network':<18} {'variant':<8} {'precision':<15} {'s/step (quartiles)':<22} {'img/s':>6} {'ratio':>6}"]
    for result in results:
        for name, variant in result["variants"].items():
            low, median, high = variant["seconds"]
            spread = f"{median:.2f} ({low:.2f} to {high:.2f})"
            lines.append(
                f"{result['preset']:<18} {name:<8} {variant['precision']:<15} {spread:<22} "
                f"{variant['images_per_second']:>6} {variant['ratio']:>6}"
            )
        verdict = "holds" if result["variants"]["bfloat16"]["ratio"] >= BOUND else "fails"
        lines.append(f"{result['preset']:<18} bound: bfloat16 at least {BOUND} times stock: {verdict}")
    instructions = bfloat16_instructions()
    lines.append(f"bfloat16 instructions of this processor: {' '.join(instructions) or 'none, it is emulated'}")
    return "\n".join(lines)


@contextlib.contextmanager
def _variant(name: str) -> Iterator[None]:
    """Builds and traces a variant: its precision, and for `stock` the inherited batch normalisation."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISION[name])
    try:
        with contextlib.ExitStack() as stack:
            if name == "stock":
                unfused = mock.patch.object(FusedBatchNormalization, "_is_fusable", return_value=False)
                stack.enter_context(unfused)
            yield
    finally:
        keras.config.set_dtype_policy(policy)


if __name__ == "__main__":
    main(tyro.cli(Options))
