"""Deep-CXR-Net (sections 2.3 and 4.2): part 3's features and the likelihoods of two frozen parts, fused.

There are two forms of one network. `deep_cxr_net` holds the frozen parts: one image in, and it is what is saved,
explained and exported. `fusion` takes the likelihoods as a second input: they never change, so that training can
compute them once. The layers that both have bear the same names.
"""

from collections.abc import Sequence
import dataclasses
from typing import Any

import keras

from ctcov_tf.config import DeepCXRNetConfig, DeepCXRNetEdgeConfig
from ctcov_tf.model_info import PartInfo
from ctcov_tf.models.pyramid_features import pyramid_features


@dataclasses.dataclass(frozen=True)
class FrozenPart:
    """A trained part.

    Attributes:
      info: its name and what its likelihoods mean.
      network: from pre-processed images to logits, layer `logits` last.
    """

    info: PartInfo
    network: keras.Model


def deep_cxr_net(
    config: DeepCXRNetConfig | DeepCXRNetEdgeConfig, image_size: int, outputs: int, parts: Sequence[FrozenPart]
) -> keras.Model:
    """Builds the whole network over the trained parts.

    Args:
      config: widths, depths and variant of part 3; `config.weights` fills its backbone.
      image_size: side of the input, pixels; that of the parts.
      outputs: number of logits.
      parts: the frozen parts, in the order of their likelihoods.

    Returns:
      Functional model over one flat graph: `image` float32 (batch, size, size, 3), pre-processed, to
      `logits` float32 (batch, outputs). The layers of a part have its name and `_` before their own and
      are not trainable; its likelihoods are the output of the layer of its name.

    Raises:
      CtcovError: the backbone's weights cannot be had or do not fit.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    likelihoods = [_likelihoods(part, image) for part in parts]
    return keras.Model(image, _fused(config, image, likelihoods, outputs), name="deep_cxr_net")


def fusion(
    config: DeepCXRNetConfig | DeepCXRNetEdgeConfig, image_size: int, outputs: int, likelihoods: int
) -> keras.Model:
    """Builds what is trained: part 3 and the layers behind it.

    Args:
      config: widths, depths and variant of part 3; `config.weights` fills its backbone.
      image_size: side of the input, pixels.
      outputs: number of logits.
      likelihoods: how many the frozen parts give; 0 for part 3 alone.

    Returns:
      Functional model: `image` float32 (batch, size, size, 3), pre-processed, and, unless `likelihoods` is
      0, `likelihoods` float32 (batch, likelihoods) in [0, 1], to `logits` float32 (batch, outputs).

    Raises:
      CtcovError: the backbone's weights cannot be had or do not fit.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    given = [keras.Input((likelihoods,), name="likelihoods")] if likelihoods else []
    logits = _fused(config, image, given, outputs)
    return keras.Model([image, *given] if given else image, logits, name="deep_cxr_net")


def _fused(
    config: DeepCXRNetConfig | DeepCXRNetEdgeConfig,
    image: keras.KerasTensor,
    likelihoods: list[keras.KerasTensor],
    outputs: int,
) -> keras.KerasTensor:
    """Logits from part 3's features and the likelihoods: two fully connected layers, then the last."""
    x = pyramid_features(image, config)
    if likelihoods:
        x = keras.layers.Concatenate(name="fusion")([x, *likelihoods])
    for index, units in enumerate(config.dense_units, start=1):
        name = f"dense{index}"
        x = keras.layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=name)(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    return keras.layers.Dense(outputs, dtype="float32", name="logits")(x)


def _likelihoods(part: FrozenPart, image: keras.KerasTensor) -> keras.KerasTensor:
    """The part's network laid over `image`, layer by layer, with its weights."""
    prefix = part.info.name

    def freeze(layer: keras.layers.Layer) -> keras.layers.Layer:
        settings: dict[str, Any] = {**layer.get_config(), "name": f"{prefix}_{layer.name}", "trainable": False}
        if isinstance(layer, keras.layers.Dropout):
            settings["rate"] = 0.0
        return type(layer).from_config(settings)

    frozen = keras.models.clone_model(part.network, input_tensors=image, clone_function=freeze)
    frozen.set_weights(part.network.get_weights())
    activation = "softmax" if part.info.labels.exclusive else "sigmoid"
    return keras.layers.Activation(activation, dtype="float32", name=prefix)(frozen.outputs[0])
