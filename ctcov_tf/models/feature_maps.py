"""Which layers of a network give feature maps, and which of these says most of what the network sees."""

import keras

from ctcov_tf import errors

PARTS = ("part1", "part2")
"""Layers of a fusion whose outputs are likelihoods; a part's other layers bear its name and `_` before their own."""

_RECTIFIERS = (keras.activations.relu, keras.activations.relu6, keras.activations.silu)


def feature_maps(model: keras.Model) -> list[keras.layers.Layer]:
    """All layers that give a map, in the model's order.

    Args:
      model: functional model of one flat graph.

    Returns:
      Layers with an output (batch, height, width, channels) of more than one pixel.
    """
    return [layer for layer in model.layers if _is_map(layer)]


def last_rectified(model: keras.Model, part: str | None = None) -> keras.layers.Layer | None:
    """The last layer of maps of one sign; the last of any maps where none is rectified, None without maps.

    Args:
      model: functional model of one flat graph.
      part: name of a frozen part of Deep-CXR-Net; None looks among the layers of no part.
    """
    return next(reversed(_rectified(model, part)), None)


def first_rectified(model: keras.Model) -> keras.layers.Layer:
    """The first layer of maps of one sign, of no frozen part; the first of any maps where none is rectified.

    Args:
      model: functional model of one flat graph.

    Raises:
      CtcovError: it has no feature map.
    """
    found = _rectified(model, None)
    if not found:
        raise errors.CtcovError(f"model {model.name}: has no feature map: choose a convolutional network")
    return found[0]


def _rectified(model: keras.Model, part: str | None) -> list[keras.layers.Layer]:
    owned = [layer for layer in feature_maps(model) if _part_of(layer) == part]
    return [layer for layer in owned if _is_rectified(layer)] or owned


def _part_of(layer: keras.layers.Layer) -> str | None:
    """Name of the frozen part that the layer belongs to."""
    return next((part for part in PARTS if layer.name.startswith(f"{part}_")), None)


def _is_map(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.InputLayer):
        return False
    shape: tuple[int | None, ...] = getattr(layer.output, "shape", ())
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _is_rectified(layer: keras.layers.Layer) -> bool:
    """Whether a ReLU, or SiLU (never below -0.28), is the layer or the last thing that it does."""
    return getattr(layer, "activation", None) in _RECTIFIERS
