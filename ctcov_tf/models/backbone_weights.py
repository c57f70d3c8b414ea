"""Where a backbone's first weights come from: ImageNet, a file, or chance."""

from collections.abc import Callable
import functools
import io
import pathlib
import socket
import zipfile

import h5py
import keras
import numpy as np

from ctcov_tf import errors
from ctcov_tf.models.efficientnet_lite_weights import EfficientNetLiteWeights

DENSENET_121_PARAMETERS = 7_037_504  # without the classifier
EFFICIENTNET_LITE0_PARAMETERS = 3_413_024  # the same
DOWNLOAD_TIMEOUT = 30.0  # seconds without an answer
CHOICES = "choose --weights none, or --weights FILE with a .keras or .weights.h5 file of such a network"


def load(backbone: keras.Model, weights: str, published: Callable[..., keras.Model] | None = None) -> None:
    """Fills a backbone's variables.

    Args:
      backbone: a model whose layers bear the names that keras.applications gives them.
      weights: `imagenet` (downloaded by keras.applications; EfficientNet-Lite0's from an installed package),
        `none` (leaves the random weights), or a file: `.keras` or `.weights.h5` of such a backbone or of a model
        over it, or the `.h5` that keras.applications publishes.
      published: builds the network of keras.applications from `weights` and `input_shape`; None stands for
        DenseNet-121 and EfficientNet-Lite0, and has ImageNet weights for no other network.

    Raises:
      CtcovError: the download failed, or the file is missing, unreadable or of another network.
    """
    if weights == "none":
        return
    if weights != "imagenet":
        _load_file(backbone, pathlib.Path(weights))
    elif published:
        _copy_imagenet(backbone, published)
    else:
        _load_imagenet(backbone)


def _load_imagenet(backbone: keras.Model) -> None:
    if backbone.count_params() == EFFICIENTNET_LITE0_PARAMETERS:
        EfficientNetLiteWeights.read_package().fill(backbone)
        return
    if backbone.count_params() != DENSENET_121_PARAMETERS:
        raise errors.CtcovError(
            "weights imagenet: they exist for DenseNet-121 only (blocks 6 12 24 16, growth rate 32, stem 64) and for "
            f"EfficientNet-Lite0 (repeats 1 2 2 3 3 4 1, width 1): keep these, or {CHOICES}"
        )
    _copy_imagenet(backbone, functools.partial(keras.applications.DenseNet121, include_top=False))


def _copy_imagenet(backbone: keras.Model, published: Callable[..., keras.Model]) -> None:
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        reference = published(weights="imagenet", input_shape=backbone.input_shape[1:])
    except Exception as error:  # keras raises a bare Exception for every failed download
        raise errors.CtcovError(
            f"weights imagenet: the download failed ({errors.one_line(error)}): {CHOICES}"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
    for layer in backbone.layers:
        if layer.weights:
            layer.set_weights(reference.get_layer(layer.name).get_weights())


def _load_file(backbone: keras.Model, path: pathlib.Path) -> None:
    if path.suffix not in (".keras", ".h5"):
        raise errors.CtcovError(f"weights {path}: not imagenet, none, a .keras or a .weights.h5 file: {CHOICES}")
    if not path.is_file():
        raise errors.CtcovError(f"weights {path}: no such file: {CHOICES}")
    try:
        layers = _read_layers(path)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise errors.CtcovError(f"weights {path}: unreadable ({errors.one_line(error)}): {CHOICES}") from error
    for layer in backbone.layers:
        values = layers.get(layer.name, [])
        if [value.shape for value in values] != [variable.shape for variable in layer.weights]:
            raise errors.CtcovError(
                f"weights {path}: layer {layer.name} is missing or of another shape: the file is of a network with "
                f"other blocks or widths: {CHOICES}"
            )
    for layer in backbone.layers:
        layer.set_weights(layers.get(layer.name, []))


def _read_layers(path: pathlib.Path) -> dict[str, list[np.ndarray]]:
    """The arrays of each layer by its name, whatever other layers the file's model has."""
    if path.name.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
    else:
        content = io.BytesIO(path.read_bytes())
    layers = {}
    with h5py.File(content) as file:
        if "layer_names" in file.attrs:  # of Keras before 3, as keras.applications publishes them
            names = [_text(name) for name in file.attrs["layer_names"]]
            arrays = {name: [_text(one) for one in file[name].attrs["weight_names"]] for name in names}
            return {name.replace("/", "_"): [file[name][one][()] for one in arrays[name]] for name in names}
        for group in file["layers"].values():
            variables = group["vars"]
            layers[variables.attrs["name"]] = [variables[str(index)][()] for index in range(len(variables))]
    return layers


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
