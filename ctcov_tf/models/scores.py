"""From logits to probabilities."""

import tensorflow as tf

from ctcov_tf.model_info import Labels


def probabilities(logits: tf.Tensor, labels: Labels) -> tf.Tensor:
    """Softmax where the classes exclude each other, else a sigmoid for each output.

    Args:
      logits: (batch, outputs) float.
      labels: what the outputs mean.

    Returns:
      (batch, outputs) float in [0, 1].
    """
    return tf.nn.softmax(logits) if labels.exclusive else tf.sigmoid(logits)


def positive_probability(probabilities: tf.Tensor, labels: Labels) -> tf.Tensor:
    """Probability of the positive class.

    Args:
      probabilities: (batch, outputs) tensor or array, as `probabilities` returns them.
      labels: what the outputs mean.

    Returns:
      (batch,) float in [0, 1].
    """
    return probabilities[:, labels.positive_output]
