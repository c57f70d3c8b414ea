"""Hall et al. (reference 12 of the paper): the mean of a ResNet-50, a VGG-16 and a small network.

The members share nothing and each has its own loss; their logits are averaged, where the original averages
probabilities.
"""

import keras

from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.pooled import pooled_features

SMALL_CHANNELS = (32, 64, 128)
TRAINED_HEADS = ("resnet50_logits", "vgg16_logits", "small_logits")
"""Layers with the answers of the members."""


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the three networks and their mean.

    Args:
      config: first weights of ResNet-50 and VGG-16, `imagenet` or `none`, and dropout.
      image: (batch, size, size, 3) float32, pre-processed.
      outputs: number of logits.

    Returns:
      (batch, outputs) float32.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    maps = (published.resnet50(image, config.weights), published.vgg16(image, config.weights), _small(image))
    members = []
    for name, features in zip(TRAINED_HEADS, maps, strict=True):
        x = pooled_features(config, features, prefix=name.removesuffix("logits"))
        members.append(keras.layers.Dense(outputs, dtype="float32", name=name)(x))
    return keras.layers.Average(dtype="float32", name="logits")(members)


def _small(image: keras.KerasTensor) -> keras.KerasTensor:
    """Three convolutions, each followed by max pooling."""
    x = image
    for index, channels in enumerate(SMALL_CHANNELS, start=1):
        x = keras.layers.Conv2D(
            channels, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=f"small_conv{index}"
        )(x)
        x = keras.layers.MaxPooling2D(2, name=f"small_pool{index}")(x)
    return x
