"""A trained network in the operators that answer fastest: the same function, without batch normalisation.

With fixed statistics a batch norm scales and shifts each channel. Behind a convolution it becomes part of that.
Anywhere else, as in front of DenseNet's ReLUs, it becomes a 1 x 1 depthwise convolution with a bias, which TensorFlow
(oneDNN) and LiteRT (XNNPACK) compute together with the ReLU behind it, in every arithmetic. Average pooling is a
depthwise convolution too, of equal weights: LiteRT pools 8-bit integers slowly.
"""

from typing import Any, Literal

import keras
import numpy as np

from ctcov_tf import errors
from ctcov_tf.layers import FeaturePyramidAttention

_ROUNDING = 2e-7


def inference_network(model: keras.Model, dtype: Literal["float32", "bfloat16"] = "float32") -> keras.Model:
    """Rewrites a network.

    Args:
      model: functional model of one flat graph, in float32, from pre-processed images to logits.
      dtype: of weights and arithmetic from the first convolution to the last map. Images, and what stands
        behind the maps (fully connected layers, logits, likelihoods), stay float32.

    Returns:
      A network of the same inputs and outputs, with weights of its own. Layers keep their names; what a
      folded batch norm has done happens in the convolution before it.

    Raises:
      CtcovError: a layer computes in another type than float32.
    """
    for layer in model.layers:
        if layer.compute_dtype != "float32":
            raise errors.CtcovError(f"layer {layer.name} computes in {layer.compute_dtype}: export a float32 model")
    pairs = _foldable(model)
    folded = {norm.name for _, norm in pairs}
    norms = {before.name: norm for before, norm in pairs}

    def rewrite(layer: keras.layers.Layer) -> keras.layers.Layer:
        settings = layer.get_config()
        if _is_map(layer):
            settings["dtype"] = dtype
        if layer.name in folded:
            return keras.layers.Identity(name=layer.name, dtype=settings["dtype"])
        if _is_norm(layer):
            return keras.layers.DepthwiseConv2D(1, name=layer.name, dtype=settings["dtype"])
        if _is_average_pool(layer):
            return keras.layers.DepthwiseConv2D(
                layer.pool_size,
                strides=layer.strides,
                use_bias=False,
                depthwise_initializer=keras.initializers.Constant(1 / np.prod(layer.pool_size)),
                name=layer.name,
                dtype=settings["dtype"],
            )
        if layer.name in norms:
            settings["use_bias"] = True
        if isinstance(layer, FeaturePyramidAttention):
            settings["normalise"] = False
        return type(layer).from_config(settings)

    def call(layer: keras.layers.Layer, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in norms or _is_norm(model.get_layer(layer.name)):
            return layer(inputs)
        return layer(inputs, *args, **kwargs)

    network = keras.models.clone_model(model, clone_function=rewrite, call_function=call)
    for layer in network.layers:
        trained = model.get_layer(layer.name)
        if isinstance(layer, FeaturePyramidAttention):
            for name, part in layer.parts.items():
                part.set_weights(_folded_weights(trained.parts[name], _norm_of_part(trained, name)))
        elif _is_norm(trained):
            if layer.name not in folded:
                scale, shift = scale_and_shift(trained)
                layer.set_weights([scale[np.newaxis, np.newaxis, :, np.newaxis], shift])
        elif not _is_average_pool(trained):
            layer.set_weights(_folded_weights(trained, norms.get(layer.name)))
    return network


def folding_pairs(
    model: keras.Model,
) -> list[tuple[keras.layers.Layer, keras.layers.BatchNormalization]]:
    """Each convolution that a batch norm becomes part of, with that batch norm, those in pyramid attention among them.

    Args:
      model: functional model of one flat graph.
    """
    within = [
        (part, norm)
        for layer in model.layers
        if isinstance(layer, FeaturePyramidAttention)
        for name, part in layer.parts.items()
        if (norm := _norm_of_part(layer, name))
    ]
    return _foldable(model) + within


def scaled_kernel(layer: keras.layers.Layer, scale: np.ndarray) -> np.ndarray:
    """A convolution's kernel with each output channel multiplied.

    Args:
      layer: the convolution, of any kind.
      scale: (channels,) of the output.
    """
    by_output = scale if type(layer) is keras.layers.Conv2D else scale[:, np.newaxis]  # outputs are not the last axis
    return layer.get_weights()[0] * by_output


def _folded_weights(layer: keras.layers.Layer, norm: keras.layers.BatchNormalization | None) -> list[np.ndarray]:
    """The layer's weights; of a convolution before a batch norm, kernel and bias of the two."""
    if norm is None:
        return layer.get_weights()
    scale, shift = scale_and_shift(norm)
    bias = layer.get_weights()[1:]
    return [scaled_kernel(layer, scale), shift + scale * (bias[0] if bias else 0)]


def scale_and_shift(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """What a batch norm does to each channel, (channels,) float64 each.

    A factor within float32's rounding of 1 is 1, so that a kernel before it stays as it is (`absorbed_norms`).

    Args:
      norm: with its statistics.
    """
    mean, variance = np.float64(norm.moving_mean.numpy()), np.float64(norm.moving_variance.numpy())
    scale = (norm.gamma.numpy() if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    scale = np.where(np.abs(scale - 1) < _ROUNDING, 1.0, scale)
    return scale, (norm.beta.numpy() if norm.center else 0.0) - scale * mean


def _norm_of_part(attention: FeaturePyramidAttention, name: str) -> keras.layers.BatchNormalization | None:
    return attention.parts.get(f"{name.removesuffix('_conv')}_bn") if name.endswith("_conv") else None


def _foldable(model: keras.Model) -> list[tuple[keras.layers.Layer, keras.layers.BatchNormalization]]:
    """Convolutions of the graph itself with the batch norms that become part of them."""
    return [(before, norm) for before, norm in _pairs(model) if _is_norm(norm) and _is_linear_convolution(before)]


def _pairs(model: keras.Model) -> list[tuple[keras.layers.Layer, keras.layers.Layer]]:
    """Each layer whose output one layer only reads, with that layer."""
    readers: dict[int, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in keras.tree.flatten(layer.input):
            readers.setdefault(id(tensor), []).append(layer)
    read = [(layer, readers.get(id(layer.output), [])) for layer in model.layers if layer.output not in model.outputs]
    return [(layer, of[0]) for layer, of in read if len(of) == 1]


def _is_map(layer: keras.layers.Layer) -> bool:
    """Whether it gives a map of the network's own."""
    return len(layer.output.shape) == 4 and not isinstance(layer, (keras.layers.InputLayer, keras.layers.Rescaling))


def _is_norm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and len(layer.output.shape) == 4 and layer.axis in (-1, 3)


def _is_linear_convolution(layer: keras.layers.Layer) -> bool:
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.DepthwiseConv2D)
    return (
        type(layer) in kinds
        and layer.activation is keras.activations.linear
        and getattr(layer, "depth_multiplier", 1) == 1
    )


def _is_average_pool(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.AveragePooling2D) and layer.padding == "valid"
