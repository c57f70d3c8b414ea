"""The states that training goes on from: one file each, whole or not there, read back by position."""

from collections.abc import Sequence
import os
import pathlib
from typing import Any
import zipfile

import keras
import numpy as np

from ctcov_tf import errors, files

_EPOCHS = "epochs"


def save(path: str | os.PathLike[str], variables: Sequence[keras.Variable], epochs: int) -> None:
    """Writes the values of variables.

    Args:
      path: the `.npz` file.
      variables: of a model, an optimizer, or both.
      epochs: epochs of the run that are behind them.
    """
    values = {_EPOCHS: np.array(epochs)}
    values |= {str(index): keras.ops.convert_to_numpy(variable) for index, variable in enumerate(variables)}
    with files.atomic_path(path) as written, written.open("wb") as file:
        np.savez(file, allow_pickle=False, **values)


def load(path: str | os.PathLike[str], variables: Sequence[keras.Variable]) -> int:
    """Reads what `save` wrote into variables of the same number, order and shapes.

    Args:
      path: the `.npz` file.
      variables: those to fill.

    Returns:
      Epochs of the run that are behind them.

    Raises:
      CtcovError: the file is damaged or of another network.
    """
    try:
        with np.load(path) as stored:
            if len(stored.files) != len(variables) + 1:
                raise ValueError(f"{len(stored.files) - 1} variables, {len(variables)} expected")
            for index, variable in enumerate(variables):
                variable.assign(stored[str(index)])
            return int(stored[_EPOCHS])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise errors.CtcovError(
            f"{path}: damaged, or of another network ({errors.one_line(error)}): train again"
        ) from error


class SaveState(keras.callbacks.Callback):
    """Saves model and optimizer at the end of every epoch; stands behind all other callbacks.

    Args:
      path: the `.npz` file.
    """

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replaces the state before."""
        save(self.path, state(self.model), epoch + 1)


def state(model: keras.Model) -> list[keras.Variable]:
    """Every variable that training changes: weights, moving statistics, and the optimizer's own.

    Args:
      model: a compiled model; its optimizer is built where it is not yet.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.weights, *model.optimizer.variables]
