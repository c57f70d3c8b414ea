"""Deep-CT-Net (sections 2.2 and 4.2): backbone, pyramid attention, batch norm, flatten, dense."""

import keras

from ctcov_tf.config import DeepCTNetConfig, DeepCTNetEdgeConfig
from ctcov_tf.models.pyramid_features import pyramid_features


def deep_ct_net(config: DeepCTNetConfig | DeepCTNetEdgeConfig, image_size: int, outputs: int) -> keras.Model:
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
    x = pyramid_features(image, config)
    x = keras.layers.Dense(config.dense_units, activation="relu", kernel_initializer="he_normal", name="dense")(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    logits = keras.layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="deep_ct_net")
