"""The classifier of most compared methods: global average pooling, dropout, one dense layer."""

import keras

from ctcov_tf.config import BaselineConfig


def pooled_features(config: BaselineConfig, features: keras.KerasTensor, prefix: str = "") -> keras.KerasTensor:
    """Averages a map over its positions.

    Args:
      config: its dropout.
      features: (batch, height, width, channels) map.
      prefix: of the layers' names, where a network has several maps.

    Returns:
      (batch, channels).
    """
    x = keras.layers.GlobalAveragePooling2D(name=f"{prefix}average_pool")(features)
    if config.dropout:
        x = keras.layers.Dropout(config.dropout, name=f"{prefix}dropout")(x)
    return x


def pooled_logits(config: BaselineConfig, features: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Adds the classifier.

    Args:
      config: its dropout.
      features: (batch, height, width, channels) map.
      outputs: number of logits.

    Returns:
      `logits`, float32 (batch, outputs).
    """
    x = pooled_features(config, features)
    return keras.layers.Dense(outputs, dtype="float32", name="logits")(x)
