"""The states that training goes on from: one file each, whole or not there, with a checksum, read back by position."""

from collections.abc import Mapping, Sequence
import hashlib
import itertools
import os
import pathlib
import sys
from typing import Any
import zipfile

import keras
import numpy as np
import numpy.typing as npt

from ctcov_tf import errors, files

KEPT = 2
"""States that are kept of a stage: the newest, and the one before it should the newest be damaged."""

_EPOCHS = "epochs"
_CHECKSUM = "sha256"
_REMEDY = ": train again"


class Damaged(errors.CtcovError):
    """A file that is not as it was written."""


def save(path: str | os.PathLike[str], variables: Sequence[keras.Variable], epochs: int) -> None:
    """Writes the values of variables, and the checksum of these.

    Args:
      path: the `.npz` file.
      variables: of a model, an optimizer, or both.
      epochs: epochs of the run that are behind them.
    """
    values = {_EPOCHS: np.array(epochs)}
    values |= {str(index): keras.ops.convert_to_numpy(variable) for index, variable in enumerate(variables)}
    values[_CHECKSUM] = _checksum(values)
    with files.atomic_path(path) as written, written.open("wb") as file:
        np.savez(file, allow_pickle=False, **values)


def load(path: str | os.PathLike[str], variables: Sequence[keras.Variable]) -> int:
    """Reads what `save` wrote into variables of the same number, order and shapes.

    Args:
      path: the `.npz` file.
      variables: those to fill; they are left as they are unless the whole file is sound.

    Returns:
      Epochs of the run that are behind them.

    Raises:
      Damaged: the file is not as `save` wrote it.
      CtcovError: it is of another network.
    """
    values = _read(path)
    epochs = int(values.pop(_EPOCHS))
    shapes = [value.shape for value in values.values()]
    if shapes != [tuple(variable.shape) for variable in variables]:
        raise errors.CtcovError(
            f"{path}: of another network: put back the config.json that it was trained with, or train again"
        )
    for value, variable in zip(values.values(), variables, strict=True):
        variable.assign(value)
    return epochs


def check(path: str | os.PathLike[str]) -> None:
    """Reads a file without using it.

    Args:
      path: the `.npz` file.

    Raises:
      Damaged: the file is not as `save` wrote it.
    """
    _read(path)


def _read(path: str | os.PathLike[str]) -> dict[str, npt.NDArray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {name: stored[name] for name in stored.files}
        if values.pop(_CHECKSUM).tobytes() != _checksum(values).tobytes():
            raise ValueError("its checksum differs")
        return values
    except (OSError, ValueError, KeyError, EOFError, TypeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise Damaged(f"{path}: damaged ({errors.one_line(error)}){_REMEDY}") from error


def _checksum(values: Mapping[str, npt.NDArray]) -> npt.NDArray:
    """SHA-256 of names, types, shapes and numbers, uint8 (32,)."""
    digest = hashlib.sha256()
    for name, value in values.items():
        digest.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


class States:
    """The newest states of a stage of training, one file an epoch.

    Args:
      folder: where they stand.
      stage: number of the stage.
    """

    def __init__(self, folder: pathlib.Path, stage: int):
        self._folder = folder
        self._prefix = f"stage{stage}_epoch"

    def paths(self) -> list[pathlib.Path]:
        """The files, newest first."""
        found = self._folder.glob(f"{self._prefix}*.npz")
        return sorted(found, key=lambda path: int(path.stem.removeprefix(self._prefix)), reverse=True)

    def save(self, variables: Sequence[keras.Variable], epochs: int) -> None:
        """Writes the state after `epochs` epochs of the run, then removes all but the newest `KEPT`."""
        save(self._folder / f"{self._prefix}{epochs}.npz", variables, epochs)
        for path in self.paths()[KEPT:]:
            path.unlink()

    def newest(self, discard: bool = True) -> pathlib.Path | None:
        """The newest file that is sound.

        Args:
          discard: whether damaged ones are removed, with a message; else they are passed over.

        Returns:
          The file; None where there is none.
        """
        paths = self.paths()
        for path, before in itertools.zip_longest(paths, paths[1:]):
            try:
                check(path)
                return path
            except Damaged as error:
                if not discard:
                    continue
                instead = f"going on from {before.name}" if before else "the stage begins anew"
                print(f"{errors.one_line(error).removesuffix(_REMEDY)}: {instead}", file=sys.stderr)
                path.unlink()
        return None

    def remove(self) -> None:
        """Removes all of them: the stage begins anew."""
        for path in self.paths():
            path.unlink()


class SaveState(keras.callbacks.Callback):
    """Saves model and optimizer at the end of every epoch; stands behind all other callbacks.

    Args:
      states: of the stage.
    """

    def __init__(self, states: States):
        super().__init__()
        self.states = states

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the state."""
        self.states.save(state(self.model), epoch + 1)


def state(model: keras.Model) -> list[keras.Variable]:
    """Every variable that training changes: weights, moving statistics, and the optimizer's own.

    Args:
      model: a compiled model; its optimizer is built where it is not yet.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.weights, *model.optimizer.variables]
