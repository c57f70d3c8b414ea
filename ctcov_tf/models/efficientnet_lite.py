"""EfficientNet-Lite: EfficientNet (arXiv 1905.11946) for devices, as a flat Keras graph over an input tensor.

Its authors published it for TFLite with four changes: no squeeze-and-excitation, ReLU6 in place of swish, and stem
and last convolution of one width in every size. Lite0 is EfficientNet-B0 with these.
"""

from typing import NamedTuple

import keras

from ctcov_tf.layers import FusedBatchNormalization
from ctcov_tf.models.backbones import BATCH_NORM_MOMENTUM

STEM_CHANNELS = 32
TOP_CHANNELS = 1280
CHANNEL_UNIT = 8  # widths are multiples of it
BATCH_NORM_EPSILON = 1e-3
_INITIALIZER = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}


class Stage(NamedTuple):
    """Inverted residual blocks of one width (Table 1).

    Attributes:
      channels: that each block gives.
      kernel: side of the depthwise convolution.
      strides: of the first block.
      expansion: channels inside a block over those that it takes.
    """

    channels: int
    kernel: int
    strides: int
    expansion: int


STAGES = (
    Stage(16, 3, 1, 1),
    Stage(24, 3, 2, 6),
    Stage(40, 5, 2, 6),
    Stage(80, 3, 2, 6),
    Stage(112, 5, 1, 6),
    Stage(192, 5, 2, 6),
    Stage(320, 3, 1, 6),
)


def efficientnet_lite(
    image: keras.KerasTensor, *, repeats: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1), width: float = 1.0
) -> keras.KerasTensor:
    """EfficientNet-Lite without its classifier; the defaults are EfficientNet-Lite0.

    Layers carry the names that keras.applications gives those of EfficientNet. Blocks are not dropped at random in
    training, as the authors do.

    Args:
      image: (batch, size, size, channels) float images; those of ImageNet were (level - 127) / 128.
      repeats: blocks in each of the seven stages, at least one.
      width: factor of the stages' channels.

    Returns:
      (batch, size / 32, size / 32, 1280) map after batch norm and ReLU6; sizes are rounded up.
    """
    x = _convolution(STEM_CHANNELS, 3, "stem_conv", strides=2)(image)
    x = _relu6(_norm(x, "stem_bn"), "stem_activation")
    for number, (stage, count) in enumerate(zip(STAGES, repeats, strict=True), start=1):
        for block in range(count):
            strides = stage.strides if block == 0 else 1
            name = f"block{number}{chr(ord('a') + block)}"
            x = _block(x, stage, rounded_channels(width * stage.channels), strides, name)
    x = _convolution(TOP_CHANNELS, 1, "top_conv")(x)
    return _relu6(_norm(x, "top_bn"), "top_activation")


def rounded_channels(channels: float) -> int:
    """The nearest multiple of 8, taken up where it is more than a tenth below."""
    nearest = max(CHANNEL_UNIT, int(channels + CHANNEL_UNIT / 2) // CHANNEL_UNIT * CHANNEL_UNIT)
    return nearest + CHANNEL_UNIT if nearest < 0.9 * channels else nearest


def _block(x: keras.KerasTensor, stage: Stage, channels: int, strides: int, name: str) -> keras.KerasTensor:
    """Widens, convolves each channel for itself, narrows; adds its input where both have one shape."""
    inputs = x
    if stage.expansion > 1:
        x = _convolution(stage.expansion * inputs.shape[-1], 1, f"{name}_expand_conv")(x)
        x = _relu6(_norm(x, f"{name}_expand_bn"), f"{name}_expand_activation")
    x = keras.layers.DepthwiseConv2D(
        stage.kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=_INITIALIZER,
        name=f"{name}_dwconv",
    )(x)
    x = _relu6(_norm(x, f"{name}_bn"), f"{name}_activation")
    x = _norm(_convolution(channels, 1, f"{name}_project_conv")(x), f"{name}_project_bn")
    if strides > 1 or inputs.shape[-1] != channels:
        return x
    return keras.layers.Add(name=f"{name}_add")([x, inputs])


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return FusedBatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=name)(x)


def _relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.Activation("relu6", name=name)(x)


def _convolution(channels: int, kernel: int, name: str, strides: int = 1) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_INITIALIZER,
        name=name,
    )
