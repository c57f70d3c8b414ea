"""What Deep-CT-Net and part 3 of Deep-CXR-Net share: backbone, pyramid attention, batch norm, flatten or average."""

import keras

from ctcov_tf.config import DenseNetConfig, EfficientNetLiteConfig, PyramidNetConfig, PyramidNetEdgeConfig
from ctcov_tf.layers import FeaturePyramidAttention, FusedBatchNormalization
from ctcov_tf.models import backbone_weights, backbones
from ctcov_tf.models.efficientnet_lite import efficientnet_lite


def pyramid_features(image: keras.KerasTensor, config: PyramidNetConfig | PyramidNetEdgeConfig) -> keras.KerasTensor:
    """Builds the network up to the features of an image.

    Args:
      image: (batch, size, size, 3) float32, pre-processed.
      config: widths, depths and variant; `config.weights` fills the backbone.

    Returns:
      (batch, features).

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    x = backbone(image, config)
    if config.attention != "none":
        x = FeaturePyramidAttention(
            config.attention,
            channels=config.attention_channels if config.attention == "slim" else None,
            levels=config.attention_levels,
            name="attention",
        )(x)
    x = FusedBatchNormalization(momentum=backbones.BATCH_NORM_MOMENTUM, name="head_bn")(x)
    if config.pooling == "average":
        return keras.layers.GlobalAveragePooling2D(name="average_pool")(x)
    return keras.layers.Flatten(name="flatten")(x)


def backbone(image: keras.KerasTensor, config: DenseNetConfig | EfficientNetLiteConfig) -> keras.KerasTensor:
    """Builds the network up to the feature map.

    Args:
      image: (batch, size, size, 3) float32, pre-processed.
      config: widths and depths; `config.weights` fills the variables.

    Returns:
      (batch, height, width, channels).

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    features = _feature_map(image, config)
    backbone_weights.load(keras.Model(image, features, name="backbone"), config.weights)
    return features


def _feature_map(image: keras.KerasTensor, config: DenseNetConfig | EfficientNetLiteConfig) -> keras.KerasTensor:
    if isinstance(config, EfficientNetLiteConfig):
        scaled = keras.layers.Rescaling(config.input_scale, config.input_offset, dtype="float32", name="rescaling")
        return efficientnet_lite(scaled(image), repeats=config.repeats, width=config.width)
    return backbones.dense_net(
        image,
        blocks=config.blocks,
        growth_rate=config.growth_rate,
        stem_channels=config.stem_channels,
        output_stride=config.output_stride if isinstance(config, PyramidNetConfig) else 32,
    )
