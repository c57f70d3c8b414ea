"""Where exports stand: `<directory>/<name>[-bfloat16]/<version>/` and `<directory>/<name>-<version>-<form>.tflite`."""

import pathlib
import re

from ctcov_tf import errors, shipped

SERVED_TFLITE = "model.tflite"
"""In a SavedModel's version folder: the TFLite form that TensorFlow Serving can take in its place."""


def export_path(directory: str | pathlib.Path, name: str, version: int, form: str) -> pathlib.Path:
    """Where an export of any form stands."""
    place = saved_model_folder if form.startswith("saved_model") else tflite_file
    return place(directory, name, version, form)


def saved_model_folder(directory: str | pathlib.Path, name: str, version: int, form: str) -> pathlib.Path:
    """The version folder of a SavedModel, as TensorFlow Serving expects it; each form has a model base path."""
    return pathlib.Path(directory) / f"{name}{form.removeprefix('saved_model').replace('_', '-')}" / str(version)


def tflite_file(directory: str | pathlib.Path, name: str, version: int, form: str) -> pathlib.Path:
    """A TFLite file; its name says what it is wherever it is copied."""
    return pathlib.Path(directory) / f"{name}-{version}-{form}.tflite"


def version_of(path: pathlib.Path) -> int:
    """The version of an export by where it stands; 1 of whatever else, such as a run directory.

    Args:
      path: a SavedModel's version folder, a TFLite file, a shipped model, whose date it is, or a run directory.
    """
    if shipped.is_shipped(path):
        return shipped.read(path).version
    if (path / "saved_model.pb").is_file():
        found = re.fullmatch(r"(\d+)", path.name)
    else:
        found = re.search(r"-(\d+)-\w+\.tflite$", path.name)
    return int(found[1]) if found else 1


def verification_file(directory: str | pathlib.Path, name: str, version: int) -> pathlib.Path:
    """The record of `verify`; its table stands beside it with the suffix `.md`."""
    return pathlib.Path(directory) / f"{name}-{version}-verify.json"


def check_free(path: pathlib.Path, version: int) -> None:
    """Makes sure that an export would not overwrite another.

    Args:
      path: where it is to stand.
      version: its number.

    Raises:
      CtcovError: something stands there, or the number is none that TensorFlow Serving serves.
    """
    if version < 1:
        raise errors.CtcovError(
            f"version {version}: TensorFlow Serving takes whole numbers: choose --version 1 or more"
        )
    if path.exists():
        raise errors.CtcovError(f"{path}: already exported: choose another --version, such as {version + 1}")
