"""Log-sum-exp pooling (arXiv 1411.6228): between the mean and the maximum of a map."""

from typing import Any

import keras
from keras import ops

SHARPNESS = 5.0


@keras.saving.register_keras_serializable(package="ctcov_tf")
class LogSumExpPooling(keras.layers.Layer):
    """Pools each channel of a map to log(mean(exp(r x))) / r; always float32.

    A small r is near the mean, a large one near the maximum. Unlike the maximum it has a gradient at every position,
    largest where the map is highest.
    """

    def __init__(self, sharpness: float = SHARPNESS, **kwargs: Any) -> None:
        """Sets the layer up.

        Args:
          sharpness: r, above 0.
          **kwargs: of every layer.
        """
        super().__init__(**kwargs | {"dtype": "float32"})
        self.sharpness = sharpness

    def call(self, inputs: Any) -> Any:
        """Pools maps.

        Args:
          inputs: (batch, height, width, channels) float32.

        Returns:
          (batch, channels) float32.
        """
        scaled = inputs * self.sharpness
        highest = ops.stop_gradient(ops.max(scaled, axis=(1, 2), keepdims=True))
        mean = ops.mean(ops.exp(scaled - highest), axis=(1, 2))
        return (ops.log(mean) + highest[:, 0, 0]) / self.sharpness

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(batch, channels)."""
        return input_shape[0], input_shape[-1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "sharpness": self.sharpness}
