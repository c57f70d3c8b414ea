"""What do the frozen parts cost in Deep-CXR-Net's training, cached and on the fly?

    python -m benchmarks.fusion [--preset NAME ...] [--image-size N] [--steps N] [--json] [--record FILE]

One optimiser step on 16 synthetic images in float32, of part 3 alone, of the fusion over cached likelihoods, and of
the fusion that runs both frozen parts on every augmented image. The three take turns step by step; medians and
quartiles are over the steps. `likelihoods` is what caching costs, once an image. `three trainings` is a step of each
of the three networks trained on its own: three times part 3 alone. The goal is a step at least 2.5 times as fast.
"""

import dataclasses
import json
import os
import pathlib
import platform
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tyro

from benchmarks import frozen_parts
from ctcov_tf import config as config_lib
from ctcov_tf import configs, files
from ctcov_tf.models import deep_cxr_net, registry

BATCH_SIZE = 16
GOAL = 2.5
WARM_UP_STEPS = 2  # the first one traces the graph


@dataclasses.dataclass(frozen=True)
class Options:
    """Which networks, and how often."""

    preset: tuple[str, ...] = ("deep_cxr_net_slim",)
    """Presets of Deep-CXR-Net; their parts are networks of the same form with random weights."""
    image_size: int = config_lib.IMAGE_SIZE
    """Side of the images, pixels."""
    steps: int = 8
    """Measured steps of each variant."""
    json: bool = False
    """Print JSON instead of a table."""
    record: pathlib.Path | None = None
    """File to write the JSON to."""


def main(options: Options) -> None:
    """Measures every preset and prints the result."""
    results = [measure(preset, options.image_size, options.steps) for preset in options.preset]
    record = {
        "benchmark": "training step of Deep-CXR-Net",
        "image_size": options.image_size,
        "batch_size": BATCH_SIZE,
        "goal": GOAL,
        "machine": platform.processor() or platform.machine(),
        "threads": len(os.sched_getaffinity(0)),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "presets": results,
    }
    if options.record:
        files.write_json(options.record, record)
    print(json.dumps(record, indent=2) if options.json else table(results))


def measure(preset: str, image_size: int, steps: int) -> dict[str, Any]:
    """Times the variants of one preset's network in turns.

    Args:
      preset: name of the preset.
      image_size: side of the images, pixels.
      steps: measured steps of each variant.

    Returns:
      Milliseconds an image (quartiles) of each variant, and speed over three trainings.
    """
    config = registry.without_weights(configs.load(preset).model)
    assert isinstance(config, config_lib.DeepCXRNetConfig), f"{preset}: no preset of Deep-CXR-Net"
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH_SIZE, image_size, image_size, 3)).astype("float32")
    targets = (np.arange(BATCH_SIZE)[:, None] % 2).astype("float32")
    parts = frozen_parts.random_parts(config, image_size)
    given = sum(len(part.info.likelihoods) for part in parts)
    likelihoods = rng.uniform(size=(BATCH_SIZE, given)).astype("float32")
    whole = registry.build(config, image_size, 1, parts)
    answer = tf.function(keras.Model(whole.input, [whole.get_layer(part.info.name).output for part in parts]))

    variants = {
        "part 3 alone": (deep_cxr_net.fusion(config, image_size, 1, likelihoods=0), images),
        "cached": (deep_cxr_net.fusion(config, image_size, 1, likelihoods=given), [images, likelihoods]),
        "on the fly": (whole, images),
    }
    for model, _ in variants.values():
        model.compile(keras.optimizers.Adam(1e-5), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    seconds: dict[str, list[float]] = {name: [] for name in (*variants, "likelihoods")}
    for step in range(WARM_UP_STEPS + steps):
        for name, (model, inputs) in variants.items():
            seconds[name].append(_timed(lambda model=model, inputs=inputs: model.train_on_batch(inputs, targets)))
        seconds["likelihoods"].append(_timed(lambda: answer(images)))
        if step < WARM_UP_STEPS:
            seconds = {name: [] for name in seconds}
    alone = np.median(seconds["part 3 alone"])
    return {
        "preset": preset,
        "variants": {
            name: {
                "milliseconds_an_image": [
                    round(1e3 * float(q) / BATCH_SIZE, 2) for q in np.quantile(values, [0.25, 0.5, 0.75])
                ],
                "over_three_trainings": None
                if name == "likelihoods"
                else round(float(3 * alone / np.median(values)), 2),
            }
            for name, values in seconds.items()
        },
    }


def table(results: list[dict[str, Any]]) -> str:
    """The results as a plain-text table."""
    lines = [f"{'preset':20}  {'variant':13}  {'ms an image':>12}  {'(quartiles)':>16}  {'over three trainings':>20}"]
    for result in results:
        for name, variant in result["variants"].items():
            low, median, high = variant["milliseconds_an_image"]
            ratio = variant["over_three_trainings"]
            lines.append(
                f"{result['preset']:20}  {name:13}  {median:12.1f}  {f'({low:.1f}, {high:.1f})':>16}  "
                f"{'once' if ratio is None else f'{ratio:.2f}':>20}"
            )
    return "\n".join(lines)


def _timed(step: Any) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
