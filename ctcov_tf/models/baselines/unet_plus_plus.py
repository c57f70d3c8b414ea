"""UNet++ (reference 5 of the paper; arXiv 1807.10165): a nested decoder over a ResNet-50, pooled to one answer.

Approximated: there are no masks of lesions here, so that the map of logits is trained through the image's label alone,
by log-sum-exp pooling (arXiv 1411.6228), a maximum over positions that lets all of them learn. The map has half the
image's size, that of the finest feature map.
"""

import keras

from ctcov_tf.config import BaselineConfig
from ctcov_tf.layers import FusedBatchNormalization, LogSumExpPooling
from ctcov_tf.models.backbones import BATCH_NORM_MOMENTUM
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.upsampled import upsampled

ENCODER = ("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out")
"""Layers of ResNet-50 with a half to a thirty-second of the image's size: the nodes (level, 0)."""
CHANNELS = (32, 64, 128, 256)
"""Of the decoder's nodes, by level."""


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
    backbone = keras.Model(image, published.resnet50(image, config.weights))
    nodes = {(level, 0): backbone.get_layer(name).output for level, name in enumerate(ENCODER)}
    for column in range(1, len(ENCODER)):
        for level in range(len(ENCODER) - column):
            nodes[level, column] = _node(
                [nodes[level, earlier] for earlier in range(column)], nodes[level + 1, column - 1], level, column
            )
    x = nodes[0, len(ENCODER) - 1]
    if config.dropout:
        x = keras.layers.SpatialDropout2D(config.dropout, name="dropout")(x)
    logit_map = keras.layers.Conv2D(outputs, 1, dtype="float32", name="logit_map")(x)
    return LogSumExpPooling(name="logits")(logit_map)


def _node(same_level: list[keras.KerasTensor], below: keras.KerasTensor, level: int, column: int) -> keras.KerasTensor:
    """Two convolutions over all earlier nodes of the level and the enlarged node below."""
    name = f"node{level}{column}"
    up = upsampled(below, same_level[0], CHANNELS[level], f"{name}_up")
    x = keras.layers.Concatenate(name=f"{name}_concat")([*same_level, up])
    for index in (1, 2):
        x = keras.layers.Conv2D(
            CHANNELS[level],
            3,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_{index}_conv",
        )(x)
        x = FusedBatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_{index}_bn")(x)
        x = keras.layers.Activation("relu", name=f"{name}_{index}_relu")(x)
    return x
