"""DL-system (reference 41 of the paper): a small network of four dense blocks, trained from random weights.

Approximated: the original is a 3-D network on a crop of the lungs; this one sees single slices, whole.
"""

import keras

from ctcov_tf import errors
from ctcov_tf.config import BaselineConfig
from ctcov_tf.models import backbones
from ctcov_tf.models.baselines.pooled import pooled_logits

BLOCKS = (4, 4, 4, 4)
GROWTH_RATE = 16
STEM_CHANNELS = 32


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network.

    Args:
      config: dropout.
      image: (batch, size, size, 3) float32, pre-processed.
      outputs: number of logits.

    Returns:
      (batch, outputs) float32.

    Raises:
      CtcovError: weights are asked for; there are none of such a network.
    """
    if config.weights != "none":
        raise errors.CtcovError(
            f"weights {config.weights}: dl_system starts from random weights: choose --weights none"
        )
    features = backbones.dense_net(image, blocks=BLOCKS, growth_rate=GROWTH_RATE, stem_channels=STEM_CHANNELS)
    return pooled_logits(config, features, outputs)
