"""Custom layers; importing this package registers them for loading `.keras` files."""

from ctcov_tf.layers.batch_norm import FusedBatchNormalization
from ctcov_tf.layers.feature_pyramid_attention import FeaturePyramidAttention

__all__ = ["FeaturePyramidAttention", "FusedBatchNormalization"]
