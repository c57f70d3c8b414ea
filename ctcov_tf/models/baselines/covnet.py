"""COVNet (reference 44 of the paper): ResNet-50 over each slice of a study, the features' maximum, one dense layer.

This is its form for one slice, over which there is nothing to take a maximum.
"""

import keras

from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.pooled import pooled_logits


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network of a study of one slice.

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
