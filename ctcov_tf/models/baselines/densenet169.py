"""DenseNet-169 (reference 46 of the paper): global average pooling and one dense layer over the backbone."""

import keras

from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.pooled import pooled_logits

BLOCKS = (6, 12, 32, 32)


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
    features = published.dense_net(image, BLOCKS, keras.applications.DenseNet169, config.weights)
    return pooled_logits(config, features, outputs)
