"""What do the frozen parts cost in Deep-CXR-Net's training, cached and on the fly?

    python -m benchmarks.fusion [--preset NAME ...] [--image-size N ...] [--rounds N] [--json] [--record FILE]

One optimiser step on 16 synthetic images: of part 3 alone, of the fusion over cached likelihoods, and of the fusion
that runs both frozen parts on every augmented image, in the precision that `--precision auto` takes. `likelihoods` is
what caching costs, once an image. They take turns step by step. Three trainings are a step of each of the three
networks trained on its own: three times part 3 alone. The goal is a step at least 2.5 times as fast.
"""

from collections.abc import Callable
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tyro

from benchmarks import frozen_parts, record, roofline, timing
from ctcov_tf import config as config_lib
from ctcov_tf import configs
from ctcov_tf.models import deep_cxr_net, registry
from ctcov_tf.training import precision
from ctcov_tf.training.fused_adam import FusedAdam

BATCH_SIZE = 16
GOAL = 2.5
ALONE, CACHED, ON_THE_FLY = "part 3 alone", "ctcov, likelihoods cached", "ctcov, likelihoods on the fly"
LIKELIHOODS, THREE = "likelihoods, once an image", "three trainings"


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """Which networks, and how often."""

    preset: tuple[str, ...] = ("deep_cxr_net_slim",)
    """Presets of Deep-CXR-Net; their parts are networks of the same form with random weights."""
    image_size: tuple[int, ...] = (config_lib.IMAGE_SIZE, 128)
    """Sides of the images, pixels."""
    rounds: int = 9
    """Measured steps of each variant."""


def main(options: Options) -> None:
    """Measures every case and publishes the record."""
    policy = precision.resolve("auto")
    cases = [measure(preset, size, options.rounds, policy) for preset in options.preset for size in options.image_size]
    goals = [
        record.Goal(
            f"{CACHED} over {THREE}, speed, {case.name}", case.ratios[f"{THREE} / {CACHED}"]["median"], GOAL, True
        )
        for case in cases
    ]
    settings = {"batch_size": BATCH_SIZE, "rounds": options.rounds, "precision": policy, "threads": roofline.threads()}
    record.publish(record.make("fusion", settings, cases, goals), options)


def measure(preset: str, image_size: int, rounds: int, policy: str) -> record.Case:
    """Times the variants of one preset's network in turns.

    Args:
      preset: name of the preset.
      image_size: side of the images, pixels.
      rounds: measured steps of each variant.
      policy: dtype policy of Keras.

    Returns:
      Milliseconds an image; ratios say how many times as fast as three trainings.
    """
    config = registry.without_weights(configs.load(preset).model)
    assert isinstance(config, config_lib.FusionConfig), f"{preset}: no preset of Deep-CXR-Net"
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(BATCH_SIZE, image_size, image_size, 3)).astype("float32"))
    targets = tf.constant((np.arange(BATCH_SIZE)[:, None] % 2).astype("float32"))
    keras.config.set_dtype_policy(policy)
    try:
        parts = frozen_parts.random_parts(config, image_size)
        given = sum(len(part.info.likelihoods) for part in parts)
        likelihoods = tf.constant(rng.uniform(size=(BATCH_SIZE, given)).astype("float32"))
        whole = registry.build(config, image_size, 1, parts)
        variants = {
            ALONE: (deep_cxr_net.fusion(config, image_size, 1, likelihoods=0), images),
            CACHED: (deep_cxr_net.fusion(config, image_size, 1, likelihoods=given), [images, likelihoods]),
            ON_THE_FLY: (whole, images),
        }
    finally:
        keras.config.set_dtype_policy("float32")
    answer = tf.function(keras.Model(whole.input, [whole.get_layer(part.info.name).output for part in parts]))
    contestants: dict[str, Callable[[], Any]] = {LIKELIHOODS: lambda: answer(images)[0].numpy()}
    for name, (model, inputs) in variants.items():
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(FusedAdam(1e-5), loss, jit_compile=False)
        contestants[name] = lambda model=model, inputs=inputs: model.train_on_batch(inputs, targets)
    seconds = timing.in_turns(contestants, rounds, warm_up=2)
    three = [3 * alone for alone in seconds[ALONE]]
    return record.Case(
        name=f"{preset}, {image_size} px, batch {BATCH_SIZE}",
        unit="ms an image",
        values={name: timing.spread(values, 1e3 / BATCH_SIZE) for name, values in seconds.items()},
        ratios={f"{THREE} / {name}": timing.ratio(three, seconds[name]) for name in (CACHED, ON_THE_FLY)},
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
