"""Classes by their nearest prototypes, as logits."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ctcov_tf")
class NearestPrototype(keras.layers.Layer):
    """Standardises features, brings them to a length of 1, and compares the classes' nearest prototypes.

    A class's logit is the negative squared distance to its nearest prototype. Where two classes have one logit, it is
    that of the second less that of the first: above 0 where the second class has the nearest prototype of all. Nothing
    is trainable; always float32.
    """

    def __init__(self, counts: Sequence[int], outputs: int, **kwargs: Any) -> None:
        """Sets the layer up; its arrays are made when the number of features is known.

        Args:
          counts: prototypes of each class, each at least 1.
          outputs: number of logits: as many as classes, or 1 of two classes.
          **kwargs: of every layer.
        """
        super().__init__(**kwargs | {"dtype": "float32", "trainable": False})
        self.counts = tuple(counts)
        self.outputs = outputs

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes `mean` and `scale`, (features,), and `prototypes`, (sum of `counts`, features)."""
        features = input_shape[-1]
        self.mean = self.add_weight((features,), "zeros", name="mean")
        self.scale = self.add_weight((features,), "ones", name="scale")
        self.prototypes = self.add_weight((sum(self.counts), features), "random_normal", name="prototypes")

    def call(self, inputs: Any) -> Any:
        """Compares.

        Args:
          inputs: (batch, features) float32.

        Returns:
          (batch, outputs) float32.
        """
        points = ops.normalize((inputs - self.mean) * self.scale, axis=-1)
        similarity = ops.matmul(points, ops.transpose(self.prototypes))
        near = 2.0 * similarity - ops.sum(ops.square(self.prototypes), axis=-1)  # negative squared distance, plus 1
        logits, start = [], 0
        for count in self.counts:
            logits.append(ops.max(near[:, start : start + count], axis=-1, keepdims=True))
            start += count
        return logits[1] - logits[0] if self.outputs == 1 else ops.concatenate(logits, axis=-1) - 1.0

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(batch, outputs)."""
        return input_shape[0], self.outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "counts": list(self.counts), "outputs": self.outputs}
