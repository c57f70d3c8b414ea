"""The form of a network that answers bags: several slices of a study at once (COVNet, Hybrid-3D)."""

from typing import Any, Literal

import keras
from keras import ops

from ctcov_tf.config import BaselineConfig


def bag_form(config: BaselineConfig, model: keras.Model, slices: int) -> keras.Model:
    """The network over bags; that over single slices is what is saved and exported.

    COVNet takes the maximum of the slices' pooled features, Hybrid-3D the mean of its stacks' logits.

    Args:
      config: of the model.
      model: what `baseline` built.
      slices: of each bag.

    Returns:
      A model over the same layers, from images (bags * slices, size, size, 3), bag by bag, to logits (bags, outputs).
    """
    if config.method == "covnet":
        joined = OverBag(slices, "max", name="over_bag")(model.get_layer("logits").input)
        return keras.Model(model.input, model.get_layer("logits")(joined), name=model.name)
    return keras.Model(
        model.input, OverBag(slices, "mean", dtype="float32", name="over_bag")(model.output), name=model.name
    )


class OverBag(keras.layers.Layer):
    """Joins rows that belong to one bag.

    Args:
      slices: rows of each bag.
      how: `max` or `mean`, of each feature.
      **kwargs: of every layer.
    """

    def __init__(self, slices: int, how: Literal["max", "mean"], **kwargs: Any):
        super().__init__(**kwargs)
        self.slices = slices
        self.how = how

    def call(self, inputs: Any) -> Any:
        """Joins.

        Args:
          inputs: (bags * slices, features), bag by bag.

        Returns:
          (bags, features).
        """
        bags = ops.reshape(inputs, (-1, self.slices, inputs.shape[-1]))
        return ops.max(bags, axis=1) if self.how == "max" else ops.mean(bags, axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(bags, features)."""
        return None, input_shape[-1]
