"""Custom layers; importing this package registers them for loading `.keras` files."""

from ctcov_tf.layers.batch_norm import FusedBatchNormalization
from ctcov_tf.layers.feature_pyramid_attention import FeaturePyramidAttention
from ctcov_tf.layers.log_sum_exp_pooling import LogSumExpPooling
from ctcov_tf.layers.nearest_prototype import NearestPrototype

__all__ = ["FeaturePyramidAttention", "FusedBatchNormalization", "LogSumExpPooling", "NearestPrototype"]
