"""The classifier of most compared methods: global average pooling, dropout, one dense layer."""

import keras

from ctcov_tf.config import BaselineConfig


def pooled_logits(config: BaselineConfig, features: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Adds the classifier.

    Args:
      config: its dropout.
      features: (batch, height, width, channels) map.
      outputs: number of logits.

    Returns:
      `logits`, float32 (batch, outputs).
    """
    x = keras.layers.GlobalAveragePooling2D(name="average_pool")(features)
    if config.dropout:
        x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    return keras.layers.Dense(outputs, dtype="float32", name="logits")(x)
