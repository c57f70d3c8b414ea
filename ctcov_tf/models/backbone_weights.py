"""Where a backbone's first weights come from: ImageNet, a file, or chance."""

import pathlib
import socket

import keras

from ctcov_tf import errors

DOWNLOAD_TIMEOUT = 30.0  # seconds without an answer
CHOICES = "choose --weights none, or --weights FILE with a .keras or .weights.h5 file of such a network"


def load(backbone: keras.Model, weights: str) -> None:
    """Fills a backbone's variables.

    Args:
      backbone: a `backbones.dense_net` model.
      weights: `imagenet` (DenseNet-121 only; downloaded by keras.applications), `none` (leaves the
        random weights), or a `.keras` or `.weights.h5` file of such a backbone or of a Deep-CT-Net
        over it.

    Raises:
      CtcovError: the download failed, or the file is missing, unreadable or of another network.
    """
    if weights == "none":
        return
    if weights == "imagenet":
        _load_imagenet(backbone)
    else:
        _load_file(backbone, pathlib.Path(weights))


def _load_imagenet(backbone: keras.Model) -> None:
    reference = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=backbone.input_shape[1:])
    if [w.shape for w in reference.weights] != [w.shape for w in backbone.weights]:
        raise errors.CtcovError(
            "weights imagenet: they exist for DenseNet-121 only (blocks 6 12 24 16, growth rate 32, stem 64): "
            f"keep these, or {CHOICES}"
        )
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        reference = keras.applications.DenseNet121(
            include_top=False, weights="imagenet", input_shape=backbone.input_shape[1:]
        )
    except Exception as error:  # keras raises a bare Exception for every failed download
        raise errors.CtcovError(f"weights imagenet: the download failed ({_line(error)}): {CHOICES}") from error
    finally:
        socket.setdefaulttimeout(timeout)
    backbone.set_weights(reference.get_weights())


def _load_file(backbone: keras.Model, path: pathlib.Path) -> None:
    if not path.name.endswith((".keras", ".weights.h5")):
        raise errors.CtcovError(f"weights {path}: not imagenet, none, a .keras or a .weights.h5 file: {CHOICES}")
    if not path.is_file():
        raise errors.CtcovError(f"weights {path}: no such file: {CHOICES}")
    try:
        backbone.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise errors.CtcovError(
            f"weights {path}: unreadable, or of a network with other blocks, growth rate or stem "
            f"({_line(error)}): {CHOICES}"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
