"""From a model's configuration to the model."""

from collections.abc import Sequence
import dataclasses

import keras

from ctcov_tf.config import (
    BaselineConfig,
    DeepCTNetConfig,
    DeepCTNetEdgeConfig,
    DeepCXRNetConfig,
    DeepCXRNetEdgeConfig,
    DenseNetClassifierConfig,
    DenseNetConfig,
    EfficientNetLiteConfig,
    ModelConfig,
    SimSiamConfig,
    SimSiamEdgeConfig,
)
from ctcov_tf.models.baselines.baseline import baseline
from ctcov_tf.models.deep_ct_net import deep_ct_net
from ctcov_tf.models.deep_cxr_net import FrozenPart, deep_cxr_net
from ctcov_tf.models.dense_net_classifier import dense_net_classifier
from ctcov_tf.models.simsiam import simsiam
from ctcov_tf.models.small_cnn import small_cnn

_WEIGHTED = (DenseNetConfig, EfficientNetLiteConfig, BaselineConfig)


def build(config: ModelConfig, image_size: int, outputs: int, parts: Sequence[FrozenPart] = ()) -> keras.Model:
    """Builds the model that a configuration describes.

    Args:
      config: which model, and its widths and depths.
      image_size: side of the input, pixels.
      outputs: number of logits; a pre-training without labels has none.
      parts: the frozen parts of Deep-CXR-Net; without them it is part 3 alone.

    Returns:
      Functional model over one flat graph: `image` float32 (batch, size, size, 3), pre-processed, to
      `logits` float32 (batch, outputs), whatever the dtype policy; of a pre-training without labels as `simsiam`.

    Raises:
      CtcovError: the backbone's weights cannot be had or do not fit, or the method has no such head.
    """
    if isinstance(config, DeepCTNetConfig | DeepCTNetEdgeConfig):
        return deep_ct_net(config, image_size, outputs)
    if isinstance(config, DeepCXRNetConfig | DeepCXRNetEdgeConfig):
        return deep_cxr_net(config, image_size, outputs, parts)
    if isinstance(config, DenseNetClassifierConfig):
        return dense_net_classifier(config, image_size, outputs)
    if isinstance(config, SimSiamConfig | SimSiamEdgeConfig):
        return simsiam(config, image_size)
    if isinstance(config, BaselineConfig):
        return baseline(config, image_size, outputs)
    return small_cnn(config, image_size, outputs)


def without_weights(config: ModelConfig) -> ModelConfig:
    """The same model from random weights, for what fills or needs none: no file is read or downloaded."""
    return dataclasses.replace(config, weights="none") if isinstance(config, _WEIGHTED) else config
