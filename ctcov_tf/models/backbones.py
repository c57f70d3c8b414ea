"""DenseNet (arXiv 1608.06993) as a flat Keras graph over an input tensor."""

import keras

from ctcov_tf import errors
from ctcov_tf.layers import FusedBatchNormalization

STEM_STRIDE = 4
COMPRESSION = 0.5  # of the channels, by each transition
BOTTLENECK = 4  # channels of the 1 x 1 convolution over the growth rate
BATCH_NORM_EPSILON = 1.001e-5
BATCH_NORM_MOMENTUM = 0.9  # the authors' own code's; 0.99 lags behind in runs of a few hundred steps


def dense_net(
    image: keras.KerasTensor,
    *,
    blocks: tuple[int, ...] = (6, 12, 24, 16),
    growth_rate: int = 32,
    stem_channels: int = 64,
    output_stride: int = 32,
) -> keras.KerasTensor:
    """DenseNet without its classifier; the defaults are DenseNet-121.

    Layers carry the names that keras.applications gives them, and variables stand in the same order.

    Args:
      image: (batch, size, size, channels) float images.
      blocks: dense layers in each block; each block but the first starts at half the size of the last.
      growth_rate: channels that each dense layer adds.
      stem_channels: channels of the first convolution.
      output_stride: image size over map size: 4 * 2 ** (len(blocks) - 1), or half of that, in which
        case the last transition does not pool and the last block is dilated by two.

    Returns:
      (batch, size / output_stride, size / output_stride, features) map after batch norm and ReLU.

    Raises:
      CtcovError: the output stride does not go with the number of blocks.
    """
    full_stride = STEM_STRIDE * 2 ** (len(blocks) - 1)
    if output_stride not in (full_stride, full_stride // 2):
        raise errors.CtcovError(
            f"output_stride {output_stride} does not go with {len(blocks)} dense blocks: "
            f"choose {full_stride} or {full_stride // 2}"
        )
    x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = _convolution(stem_channels, 7, "conv1_conv", strides=2)(x)
    x = _norm_relu(x, "conv1_bn", "conv1_relu")
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for index, layers in enumerate(blocks):
        dilated = index == len(blocks) - 1 and output_stride < full_stride
        if index:
            x = _transition(x, pool=not dilated, name=f"pool{index + 1}")
        for layer in range(layers):
            x = _dense_layer(x, growth_rate, dilation=2 if dilated else 1, name=f"conv{index + 2}_block{layer + 1}")
    return _norm_relu(x, "bn", "relu")


def _dense_layer(x: keras.KerasTensor, growth_rate: int, dilation: int, name: str) -> keras.KerasTensor:
    """Adds `growth_rate` channels, seen through a 1 x 1 bottleneck."""
    new = _norm_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    new = _convolution(BOTTLENECK * growth_rate, 1, f"{name}_1_conv")(new)
    new = _norm_relu(new, f"{name}_1_bn", f"{name}_1_relu")
    new = _convolution(growth_rate, 3, f"{name}_2_conv", padding="same", dilation_rate=dilation)(new)
    return keras.layers.Concatenate(name=f"{name}_concat")([x, new])


def _transition(x: keras.KerasTensor, pool: bool, name: str) -> keras.KerasTensor:
    """Halves the channels and, if `pool`, the size.

    The authors convolve and then pool. An average over positions and a convolution of single positions can change
    places; pooled first, the convolution has a quarter of the positions left.
    """
    x = _norm_relu(x, f"{name}_bn", f"{name}_relu")
    if pool:
        x = keras.layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    return _convolution(int(x.shape[-1] * COMPRESSION), 1, f"{name}_conv")(x)


def _norm_relu(x: keras.KerasTensor, norm_name: str, relu_name: str) -> keras.KerasTensor:
    x = FusedBatchNormalization(momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=norm_name)(x)
    return keras.layers.Activation("relu", name=relu_name)(x)


def _convolution(channels: int, kernel: int, name: str, **kwargs: object) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(channels, kernel, use_bias=False, kernel_initializer="he_normal", name=name, **kwargs)
