"""Deep-CT-Net (sections 2.2 and 4.2): DenseNet, pyramid attention, batch norm, flatten, dense."""

import keras

from ctcov_tf.config import DeepCTNetConfig
from ctcov_tf.layers import FeaturePyramidAttention, FusedBatchNormalization
from ctcov_tf.models import backbone_weights, backbones


def deep_ct_net(config: DeepCTNetConfig, image_size: int, outputs: int) -> keras.Model:
    """Builds Deep-CT-Net.

    Args:
      config: widths, depths and variant; `config.weights` fills the backbone.
      image_size: side of the input, pixels.
      outputs: number of logits.

    Returns:
      Functional model over one flat graph: `image` float32 (batch, size, size, 3), pre-processed, to
      `logits` float32 (batch, outputs).

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    features = backbones.dense_net(
        image,
        blocks=config.blocks,
        growth_rate=config.growth_rate,
        stem_channels=config.stem_channels,
        output_stride=config.output_stride,
    )
    backbone_weights.load(keras.Model(image, features, name="backbone"), config.weights)
    x = features
    if config.attention != "none":
        x = FeaturePyramidAttention(
            config.attention,
            channels=config.attention_channels if config.attention == "slim" else None,
            levels=config.attention_levels,
            name="attention",
        )(x)
    x = FusedBatchNormalization(momentum=backbones.BATCH_NORM_MOMENTUM, name="head_bn")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(config.dense_units, activation="relu", kernel_initializer="he_normal", name="dense")(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    logits = keras.layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="deep_ct_net")
