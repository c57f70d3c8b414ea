"""Batch normalisation through TensorFlow's fused kernel."""

from typing import Any

import keras
import tensorflow as tf

FUSED_DTYPES = ("float32", "bfloat16")


@keras.saving.register_keras_serializable(package="ctcov_tf")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of NHWC maps by one kernel: the stock Keras layer, only faster.

    Keras 3 builds batch normalisation from about ten elementwise operators and in float32, which
    dominates the training step of a DenseNet on a CPU. This layer takes the same arguments, has the
    same variables and computes the same function, and keeps bfloat16 maps in bfloat16 (statistics
    are float32 inside the kernel all the same).

    The kernel serves 4-D float32 and bfloat16 maps normalised over their last axis. Anything else
    (masks, `synchronized`, `renorm`, other ranks, axes and types) takes the stock path.

    The kernel returns the sample's unbiased variance, n / (n - 1) times that of the stock layer; the
    moving variance is corrected for it.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Normalises a batch.

        Args:
          inputs: (batch, height, width, channels), float32 or bfloat16.
          training: by the batch's statistics, which then move the moving ones, or by the moving ones.
          mask: as in the stock layer.

        Returns:
          Tensor of the shape and type of `inputs`.
        """
        if mask is not None or not self._is_fusable(inputs):
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones([channels])
        offset = tf.convert_to_tensor(self.beta) if self.center else tf.zeros([channels])
        if not (training and self.trainable):
            outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
                inputs,
                scale,
                offset,
                tf.convert_to_tensor(self.moving_mean),
                tf.convert_to_tensor(self.moving_variance),
                epsilon=self.epsilon,
                is_training=False,
            )
            return outputs
        outputs, mean, unbiased_variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, offset, epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        variance = tf.where(count > 1.0, unbiased_variance * ((count - 1.0) / count), 0.0)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return outputs

    def _is_fusable(self, inputs: tf.Tensor) -> bool:
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in FUSED_DTYPES
            and self.compute_dtype == keras.backend.standardize_dtype(inputs.dtype)
            and self.variable_dtype == "float32"
            and not (self.renorm or self.synchronized)
        )

    def _move(self, moving: Any, value: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
