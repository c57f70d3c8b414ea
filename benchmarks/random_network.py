"""A network with random weights and the statistics of a trained one: speed does not depend on what it has learnt."""

import keras
import numpy as np

from ctcov_tf.config import ModelConfig
from ctcov_tf.models import registry

STATISTICS_IMAGES = 4


def build(config: ModelConfig, image_size: int, outputs: int = 1, seed: int = 0) -> keras.Model:
    """Builds a network whose batch norms hold uneven scales, and the moving statistics of their own maps.

    Untrained ones hold ones and zeros, which leave nothing to compute and maps that grow from layer to layer.

    Args:
      config: which network.
      image_size: side of the input, pixels.
      outputs: number of logits.
      seed: of the weights.

    Returns:
      The network, as `registry.build` gives it.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = registry.build(registry.without_weights(config), image_size, outputs)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.gamma.assign(rng.uniform(0.5, 1.5, norm.gamma.shape))
        norm.beta.assign(rng.normal(0, 0.2, norm.beta.shape))
        norm.momentum = 0.0
    model(rng.normal(size=(STATISTICS_IMAGES, image_size, image_size, 3)).astype(np.float32), training=True)
    for norm, value in zip(norms, momentum, strict=True):
        norm.momentum = value
        norm.moving_mean.assign_add(0.2 * rng.normal(size=norm.moving_mean.shape) * np.sqrt(norm.moving_variance))
        norm.moving_variance.assign(norm.moving_variance * rng.uniform(0.7, 1.4, norm.moving_variance.shape))
    return model
