"""Backbones of keras.applications, laid over an image as layers of one flat graph.

Batch normalisation is the fused layer (`layers.FusedBatchNormalization`) with the momentum that all networks of this
project have; everything else, names too, is as keras.applications builds it, so that its ImageNet weights fit.
"""

from collections.abc import Callable
import functools

import keras

from ctcov_tf.layers import FusedBatchNormalization
from ctcov_tf.models import backbone_weights, backbones

PIXEL_SCALE = 58.0
"""Grey levels in a standard deviation of ImageNet's pixels: what ResNet-50 and VGG-16 take, which see grey levels less
their mean, where a standardised image has 1."""


def resnet50(image: keras.KerasTensor, weights: str) -> keras.KerasTensor:
    """ResNet-50 (arXiv 1512.03385) without its classifier.

    Args:
      image: (batch, size, size, 3) float32 input of a model, size at least 32.
      weights: as `backbone_weights.load` takes them.

    Returns:
      (batch, size / 32, size / 32, 2048) map after ReLU; sizes are rounded up.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    build = functools.partial(keras.applications.ResNet50, include_top=False)
    return _overlaid(_scaled(build, image, "resnet50_scale"), build, image, weights)


def vgg16(image: keras.KerasTensor, weights: str, *, fully_connected: bool = False) -> keras.KerasTensor:
    """VGG-16 (arXiv 1409.1556) without its classifier.

    Args:
      image: (batch, size, size, 3) float32 input of a model, size at least 32.
      weights: as `backbone_weights.load` takes them.
      fully_connected: whether the two layers of 4096 units stand behind the maps; ImageNet weights of these are for
        224 px.

    Returns:
      (batch, size / 32, size / 32, 512) map after max pooling, or (batch, 4096) after ReLU; sizes are rounded down.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    build = functools.partial(keras.applications.VGG16, include_top=fully_connected)
    reference = _scaled(build, image, "vgg16_scale")
    if fully_connected:
        reference = keras.Model(reference.inputs[0], reference.get_layer("fc2").output)
    return _overlaid(reference, build, image, weights)


def efficientnet_b0(image: keras.KerasTensor, weights: str) -> keras.KerasTensor:
    """EfficientNet-B0 (arXiv 1905.11946) without its classifier and without the scaling of grey levels before it.

    Args:
      image: (batch, size, size, 3) float32 input of a model, standardised, size at least 32.
      weights: as `backbone_weights.load` takes them.

    Returns:
      (batch, size / 32, size / 32, 1280) map after SiLU; sizes are rounded up.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    build = functools.partial(keras.applications.EfficientNetB0, include_top=False)
    reference = build(weights=None, input_shape=image.shape[1:])
    behind_scaling = keras.Model(reference.get_layer("stem_conv_pad").input, reference.output)
    return _overlaid(behind_scaling, build, image, weights)


def dense_net(
    image: keras.KerasTensor, blocks: tuple[int, ...], build: Callable[..., keras.Model], weights: str
) -> keras.KerasTensor:
    """A DenseNet (arXiv 1608.06993) of growth rate 32 without its classifier.

    Args:
      image: (batch, size, size, 3) float32 input of a model, size at least 32.
      blocks: dense layers in each block.
      build: the same network in keras.applications.
      weights: as `backbone_weights.load` takes them.

    Returns:
      (batch, size / 32, size / 32, features) map after ReLU.

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    features = backbones.dense_net(image, blocks=blocks)
    published = functools.partial(build, include_top=False)
    backbone_weights.load(keras.Model(image, features, name="backbone"), weights, published)
    return features


def _scaled(build: Callable[..., keras.Model], image: keras.KerasTensor, name: str) -> keras.Model:
    """The network from random weights over an input of the image's shape, in grey levels."""
    standardised = keras.Input(image.shape[1:])
    scale = keras.layers.Rescaling(PIXEL_SCALE, dtype="float32", name=name)
    reference = build(weights=None, input_tensor=scale(standardised))
    return keras.Model(standardised, reference.output)


def _overlaid(
    reference: keras.Model, build: Callable[..., keras.Model], image: keras.KerasTensor, weights: str
) -> keras.KerasTensor:
    """The reference's layers once more, over `image`, with weights of their own."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        settings = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            return FusedBatchNormalization.from_config(settings | {"momentum": backbones.BATCH_NORM_MOMENTUM})
        return type(layer).from_config(settings)

    backbone = keras.models.clone_model(reference, input_tensors=image, clone_function=copy)
    backbone_weights.load(backbone, weights, build)
    return backbone.outputs[0]
