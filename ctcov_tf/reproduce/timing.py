"""How long a training step of a method takes on this machine, measured on noise."""

import time

import keras
import numpy as np

from ctcov_tf.config import Config
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry
from ctcov_tf.reproduce.budget import Timing
from ctcov_tf.reproduce.protocol import BATCH_SIZE
from ctcov_tf.training import optimization, precision

IMAGE_SIZE = 96
"""Side of the images that are timed, pixels."""

STEPS = 3


def measure(config: Config, labels: Labels, image_size: int = IMAGE_SIZE) -> Timing:
    """Times the training step of a method's network, the fastest of a few after the first.

    Frozen parts are left out, as in training, which computes their likelihoods once.

    Args:
      config: of the method.
      labels: what its outputs mean.
      image_size: side of the images, pixels.
    """
    keras.config.set_dtype_policy(precision.resolve(config.train.precision))
    try:
        model = registry.build(registry.without_weights(config.model), image_size, len(labels.outputs))
    finally:
        keras.config.set_dtype_policy("float32")
    batch = BATCH_SIZE
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, image_size, image_size, 3)).astype(np.float32)
    targets = np.eye(max(2, len(labels.outputs)), dtype=np.float32)[np.arange(batch) % 2, -len(labels.outputs) :]
    once = not model.trainable_variables
    if not once:
        model.compile(
            optimizer=optimization.make_optimizer(config.train, STEPS + 1),
            loss=optimization.make_loss(config.train, labels),
            jit_compile=False,
        )
    taken = []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        if once:
            model.predict_on_batch(images)
        else:
            model.train_on_batch(images, targets)
        taken.append(time.perf_counter() - start)
    del model
    keras.utils.clear_session()
    return Timing(min(taken[1:]), once)
