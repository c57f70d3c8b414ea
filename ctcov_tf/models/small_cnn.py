"""A small plain residual network: the honest reference beside Deep-CT-Net."""

import keras

from ctcov_tf.config import SmallCNNConfig
from ctcov_tf.layers import FusedBatchNormalization

BATCH_NORM_MOMENTUM = 0.9


def small_cnn(config: SmallCNNConfig, image_size: int, outputs: int) -> keras.Model:
    """Builds the network: a strided stem, residual stages, global average pooling, one dense layer.

    Two residual blocks a stage, one in the last; about 1.3 M parameters by default.

    Args:
      config: channels of the stages and dropout.
      image_size: side of the input, pixels.
      outputs: number of logits.

    Returns:
      Functional model: `image` float32 (batch, size, size, 3), pre-processed, to `logits` float32
      (batch, outputs).
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = _convolution(image, config.channels[0], 3, strides=2, name="stem")
    x = keras.layers.Activation("relu", name="stem_relu")(x)
    for stage, channels in enumerate(config.channels, start=1):
        x = _residual_block(x, channels, strides=2, name=f"stage{stage}_block1")
        if stage < len(config.channels):
            x = _residual_block(x, channels, strides=1, name=f"stage{stage}_block2")
    x = keras.layers.GlobalAveragePooling2D(name="average_pool")(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    logits = keras.layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="small_cnn")


def _residual_block(x: keras.KerasTensor, channels: int, strides: int, name: str) -> keras.KerasTensor:
    shortcut = x if strides == 1 else _convolution(x, channels, 1, strides=strides, name=f"{name}_0")
    x = _convolution(x, channels, 3, strides=strides, name=f"{name}_1")
    x = keras.layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _convolution(x, channels, 3, strides=1, name=f"{name}_2")
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.Activation("relu", name=f"{name}_relu")(x)


def _convolution(x: keras.KerasTensor, channels: int, kernel: int, strides: int, name: str) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return FusedBatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")(x)
