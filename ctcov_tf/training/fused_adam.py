"""Adam (arXiv 1412.6980) whose update of a variable is one kernel."""

from collections.abc import Mapping
import types

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ctcov_tf")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, only faster: TensorFlow's kernel reads and writes each weight and its two moments once.

    Keras builds the update from about fifteen operators, each of which passes over the whole variable. With
    `weight_decay` it is AdamW (arXiv 1711.05101).

    Attributes:
      rates: share of the learning rate by a variable's path; 1 for those that are not named.
    """

    rates: Mapping[str, float] = types.MappingProxyType({})

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Moves one variable against its gradient.

        Args:
          gradient: of the loss, of the variable's shape.
          variable: float32.
          learning_rate: scalar.

        Raises:
          NotImplementedError: `amsgrad` is set.
        """
        if self.amsgrad:
            raise NotImplementedError("amsgrad: use keras.optimizers.Adam")
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype) * self.rates.get(self._trainable_variables[index].path, 1.0),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )
