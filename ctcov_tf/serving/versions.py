"""The versions of a model that stand in a folder: which is in service, and how a new one takes over.

As TensorFlow Serving does: the highest version is served; a new one is loaded and warmed up beside the old one and
takes over, and the old one ends once its last request is answered. One that cannot be loaded is reported in the model's
status and changes nothing.
"""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import gc
import logging
import pathlib
import re
import threading
from typing import Any, Literal

from ctcov_tf import errors, shipped
from ctcov_tf.export import layout
from ctcov_tf.serving.addresses import Address
from ctcov_tf.serving.rest import Refusal
from ctcov_tf.serving.served_model import ServedModel
from ctcov_tf.serving.settings import Settings

STABLE = "stable"
"""Label of the version in service, unless the settings say otherwise."""

TFLITE_FILE = "model.tflite"
"""A TFLite file in a version's folder, as TensorFlow Serving's `--prefer_tflite_model` reads it."""

_log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]


@dataclasses.dataclass
class _State:
    """What became of a version, in the words of TensorFlow Serving's ModelVersionStatus."""

    state: Literal["LOADING", "AVAILABLE", "UNLOADING", "END"]
    error: str = ""


class Versions:
    """All versions of one model, and the thread that looks for new ones.

    Attributes:
      name: of the model, in addresses.
    """

    def __init__(
        self, path: pathlib.Path, settings: Settings, open_model: Callable[[pathlib.Path, int], ServedModel]
    ) -> None:
        """Loads the highest version, and those that have labels.

        Args:
          path: a folder of versions, or one model.
          settings: labels, and the model's name.
          open_model: opens a version; it is given the path and the number.

        Raises:
          CtcovError: there is none, one of them cannot be opened, or no address can hold the name.
        """
        self._path, self._labels, self._open = path, dict(settings.labels), open_model
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._states: dict[int, _State] = {}
        self._models: dict[int, ServedModel] = {}
        self._leases: dict[int, int] = {}
        self._seen: dict[int, Stamp] = {}
        self._failed: dict[int, Stamp] = {}
        found = on_disk(path)
        for label, number in self._labels.items():
            if number not in found:
                raise errors.CtcovError(
                    f"--label {label}={number}: {path} has no version {number}: "
                    f"choose from {', '.join(map(str, sorted(found)))}"
                )
        self.latest = max(found)
        for number in sorted({self.latest, *self._labels.values()}):
            self._models[number] = open_model(found[number], number)
            self._states[number] = _State("AVAILABLE")
        self.name = settings.name or self._models[self.latest].info.name
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise errors.CtcovError(
                f"name {self.name!r}: no name for an address: choose --name of letters, digits and . _ -"
            )

    @property
    def waiting(self) -> int:
        """Images that wait for any version."""
        return sum(model.waiting for model in list(self._models.values()))

    @contextlib.contextmanager
    def lease(self, address: Address) -> Iterator[ServedModel]:
        """Holds the version that a request asks for, so that it is not closed before the request is answered.

        Args:
          address: of the request.

        Raises:
          Refusal: no such model, version or label.
        """
        with self._changed:
            number = self._number(address)
            if number not in self._models:
                raise Refusal(404, f"Servable not found for request: Specific({address.name}, {number})")
            model = self._models[number]
            self._leases[number] = self._leases.get(number, 0) + 1
        try:
            yield model
        finally:
            with self._changed:
                self._leases[number] -= 1
                self._changed.notify_all()

    def status(self, address: Address) -> dict[str, Any]:
        """The state of the versions, highest first, as TensorFlow Serving's GetModelStatusResponse.

        Args:
          address: of the request.

        Raises:
          Refusal: no such model, version or label.
        """
        with self._changed:
            states = dict(self._states)
            wanted = None
            if address.name == self.name and (address.version is not None or address.label):
                wanted = self._number(address)
        if address.name != self.name or (wanted is not None and wanted not in states):
            versions = "any versions" if address.version is None else f"version {address.version}"
            raise Refusal(404, f"Could not find {versions} of model {address.name}")
        shown = sorted(states, reverse=True) if wanted is None else [wanted]
        return {
            "model_version_status": [
                {
                    "version": str(number),
                    "state": states[number].state,
                    "status": {
                        "error_code": "UNKNOWN" if states[number].error else "OK",
                        "error_message": states[number].error,
                    },
                }
                for number in shown
            ]
        }

    def look(self) -> None:
        """Loads what is new in the folder, and lets go of what is no longer wanted.

        The highest that is there and can be loaded is served: where it is taken away, or is damaged, the one below it.
        A folder is loaded once its files have not changed since the last look, since it may be half copied; one that
        could not be loaded is tried again when its files have changed.
        """
        found = on_disk(self._path)
        stamps = {number: _stamp(path) for number, path in found.items()}
        for number in sorted(found, reverse=True):
            stamp = stamps[number]
            whole, failed = stamp == self._seen.get(number), stamp == self._failed.get(number)
            if number not in self._models and whole and not failed:
                self._load(number, found[number], stamp)
            if number in self._models:
                self.latest = number
                for other in [other for other in self._models if other not in {number, *self._labels.values()}]:
                    self._unload(other)
                break
        self._seen = stamps

    def watch(self, seconds: float) -> None:
        """Looks again and again until `close`.

        Args:
          seconds: between two looks.
        """
        while not self._stop.wait(seconds):
            try:
                self.look()
            except (errors.CtcovError, OSError):
                continue  # the folder is being moved; what is in service stays

    def close(self) -> None:
        """Ends every version's threads."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for model in list(self._models.values()):
            model.close()

    def _load(self, number: int, path: pathlib.Path, stamp: Stamp) -> None:
        self._note(number, _State("LOADING"))
        try:
            model = self._open(path, number)
        except Exception as error:
            self._failed[number] = stamp
            reason = errors.one_line(error) if isinstance(error, errors.CtcovError) else type(error).__name__
            self._note(number, _State("END", self._without_places(reason)))
            _log.error("version %d cannot be loaded, version %d stays: %s", number, self.latest, reason)
            return
        with self._changed:
            self._models[number] = model
            self._states[number] = _State("AVAILABLE")
        _log.warning("version %d is in service", number)

    def _unload(self, number: int) -> None:
        with self._changed:
            model = self._models.pop(number)
            self._states[number] = _State("UNLOADING")
            self._changed.wait_for(lambda: not self._leases.get(number) or self._stop.is_set())
        model.close()
        del model
        gc.collect()  # a SavedModel's parts refer to each other
        self._note(number, _State("END"))

    def _without_places(self, reason: str) -> str:
        """What clients read: it names no place on this machine."""
        return reason.replace(str(self._path.resolve()), "...").replace(str(self._path), "...")

    def _note(self, number: int, state: _State) -> None:
        with self._changed:
            self._states[number] = state

    def _number(self, address: Address) -> int:
        """The number of the version that a request asks for."""
        if address.name != self.name:
            wanted = "Latest" if address.version is None else "Specific"
            version = "" if address.version is None else f", {address.version}"
            raise Refusal(404, f"Servable not found for request: {wanted}({address.name}{version})")
        if address.version is not None:
            return address.version
        if address.label is None:
            return self.latest
        labels = {STABLE: self.latest} | self._labels
        if address.label not in labels:
            raise Refusal(400, f"Unrecognized servable version label: {address.label}")
        return labels[address.label]


def on_disk(path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Versions that stand at a path: by number, what `predictor.load` opens.

    Args:
      path: a folder with a folder for each version, a SavedModel or a TFLite file in it; or one model, of any kind.

    Raises:
      CtcovError: there is none.
    """
    if path.is_file() or _model_in(path) == path:
        return {layout.version_of(path): path}
    folders = {int(folder.name): _model_in(folder) for folder in path.glob("*/") if folder.name.isdecimal()}
    found = {number: model for number, model in folders.items() if model}
    if not found:
        raise errors.CtcovError(
            f"{path}: {'not a model' if path.exists() else 'no such model'}: "
            "name a run directory, a SavedModel folder or a .tflite file"
        )
    return found


def _model_in(folder: pathlib.Path) -> pathlib.Path | None:
    """What is to be opened in a folder; None while there is nothing, as when copying has just begun."""
    if any((folder / name).is_file() for name in shipped.MODEL_FILES):
        return folder
    return folder / TFLITE_FILE if (folder / TFLITE_FILE).is_file() else None


def _stamp(path: pathlib.Path) -> Stamp:
    """Name, size and time of every file: what differs while they are being copied."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
