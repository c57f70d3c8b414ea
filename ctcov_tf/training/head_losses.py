"""Losses of networks whose answer is made of heads, each with a loss of its own.

Such a network is trained with its heads behind its logits (`models.baselines.baseline.trained_form`); the loss is that
of the heads, and the logits, which follow from them, have none.
"""

from typing import Any

import keras
from keras import ops

from ctcov_tf.config import BaselineConfig, ModelConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.models.baselines.caad import MARGIN


def over_heads(config: ModelConfig, loss: keras.losses.Loss, labels: Labels) -> keras.losses.Loss:
    """The loss that a network is trained with.

    Args:
      config: of the network.
      loss: on logits.
      labels: what the logits mean.

    Returns:
      A loss on what the trained form of the network gives; `loss` itself where that is logits alone.
    """
    method = config.method if isinstance(config, BaselineConfig) else None
    if method == "hall":
        return EachMember(loss, len(labels.outputs))
    if method == "caad":
        return ClassAndDeviation(loss)
    return loss


class EachMember(keras.losses.Loss):
    """The mean of the losses of an ensemble's members: each learns as if it were alone.

    Args:
      loss: on the logits of one member.
      outputs: number of its logits.
    """

    def __init__(self, loss: keras.losses.Loss, outputs: int):
        super().__init__(name="each_member")
        self.loss = loss
        self.outputs = outputs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image, (batch,).

        Args:
          y_true: (batch, outputs) float.
          y_pred: (batch, outputs * (1 + members)): the answer, and the logits of each member.
        """
        members = range(self.outputs, y_pred.shape[-1], self.outputs)
        losses = [self.loss.call(y_true, y_pred[:, start : start + self.outputs]) for start in members]
        return ops.mean(ops.stack(losses), axis=0)


class ClassAndDeviation(keras.losses.Loss):
    """The loss of a classification head and the deviation loss (arXiv 1911.08623) of an anomaly head.

    Negative images are to have an anomaly score near 0, the mean of a standard normal distribution; positive ones at
    least the margin. The original estimates mean and deviation from 5000 draws of that distribution.

    Args:
      loss: on the logit of the classification head.
    """

    def __init__(self, loss: keras.losses.Loss):
        super().__init__(name="class_and_deviation")
        self.loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image, (batch,).

        Args:
          y_true: (batch, 1) float: 1 where positive, else 0.
          y_pred: (batch, 3): the answer, the classification head's logit, and the anomaly score.
        """
        positive, score = ops.cast(y_true[:, 0], y_pred.dtype), y_pred[:, 2]
        deviation = (1.0 - positive) * ops.abs(score) + positive * ops.relu(MARGIN - score)
        return self.loss.call(y_true, y_pred[:, 1:2]) + deviation
