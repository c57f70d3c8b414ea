"""Hybrid-3D (reference 13 of the paper): a DenseNet-121 over neighbouring slices, scores of several stacks averaged.

Approximated: the original has 3-D convolutions on a crop of the lungs; here three neighbouring slices are the three
channels of an image. This is its form for one slice, which stands in all three channels.
"""

import keras

from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.pooled import pooled_logits

BLOCKS = (6, 12, 24, 16)


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network of one stack.

    Args:
      config: first weights of the backbone and dropout.
      image: (batch, size, size, 3) float32, pre-processed.
      outputs: number of logits.

    Returns:
      (batch, outputs) float32.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    features = published.dense_net(image, BLOCKS, keras.applications.DenseNet121, config.weights)
    return pooled_logits(config, features, outputs)
