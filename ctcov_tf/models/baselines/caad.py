"""CAAD (reference 45 of the paper): EfficientNet-B0 features, a classification head and an anomaly head.

An image is flagged where its anomaly score is high, or where the classifier is not confident that it is negative. Both
say that a score exceeds its limit, so that the greater of the two logits says both with one threshold: the classifier's
logit, and the anomaly score less half of its margin.

Approximated: one backbone serves both heads; the classifier's own probability is its confidence, where the original
trains a network to predict that; the limits are one threshold.
"""

import keras

from ctcov_tf import errors
from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import published
from ctcov_tf.models.baselines.pooled import pooled_features

MARGIN = 5.0
"""Least anomaly score of positive images, in standard deviations of the negative ones' (arXiv 1911.08623)."""
UNITS = 100
TRAINED_HEADS = ("class_logit", "anomaly_score")
"""Layers of the two heads."""


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network.

    Args:
      config: first weights of the backbone and dropout.
      image: (batch, size, size, 3) float32, pre-processed.
      outputs: number of logits; 1.

    Returns:
      (batch, 1) float32.

    Raises:
      CtcovError: there is more than one output, or the weights cannot be had or do not fit.
    """
    if outputs != 1:
        raise errors.CtcovError(f"head {config.head}: caad tells anomalous from normal: choose --head binary")
    x = pooled_features(config, published.efficientnet_b0(image, config.weights))
    class_head, anomaly_head = TRAINED_HEADS
    class_logit = keras.layers.Dense(1, dtype="float32", name=class_head)(x)
    x = keras.layers.Dense(UNITS, activation="relu", kernel_initializer="he_normal", name="anomaly_dense")(x)
    anomaly_score = keras.layers.Dense(1, dtype="float32", name=anomaly_head)(x)
    above_limit = keras.layers.Rescaling(1.0, -MARGIN / 2, dtype="float32", name="anomaly_logit")(anomaly_score)
    return keras.layers.Maximum(dtype="float32", name="logits")([class_logit, above_limit])
