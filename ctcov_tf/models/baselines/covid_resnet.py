"""COVID-ResNet (reference 11 of the paper): a ResNet-50 that is trained at 128, 224 and 229 px in turn.

What sets it apart is the training: the preset's stages of image size, and learning rates that rise from the first layer
to the last.
"""

import keras

from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.pooled import pooled_logits


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network.

    Args:
      config: first weights of the backbone and dropout.
      image: (batch, size, size, 3) float32, pre-processed.
      outputs: number of logits.

    Returns:
      (batch, outputs) float32.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    return pooled_logits(config, published.resnet50(image, config.weights), outputs)
