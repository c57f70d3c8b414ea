"""Models that ship with the package: folders of `weights/`, each a small run directory with a manifest.

    weights/<name>-<YYYYMMDD>/
      shipped.json       name, training data, figures, answers to phantoms, size and SHA-256 of every file
      config.json  model.keras  calibration.json  gate.npz  metrics.json  history.csv  test_readings.jsonl  card/
      <preset>-<YYYYMMDD>-<form>.tflite  model_info.json  verify.json  USE.md

An installation from a wheel may hold less of a folder than the manifest names: what answers (`setup.cfg`). Only the
standard library is needed to read it, for an answer takes 0.4 s.
"""

from collections.abc import Sequence
import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

from ctcov_tf import errors, files
from ctcov_tf.modality import NAMES, Modality

MANIFEST = "shipped.json"
MODEL_FILES = (MANIFEST, "config.json", "saved_model.pb")
"""Files of which a folder holds one where it is a model: one that ships, a run directory, a SavedModel."""

FORMAT = 1
VARIABLE = "CTCOV_WEIGHTS"
"""Environment variable: a folder of shipped models to use in the place of the package's own."""

ANSWERING = "float32"
"""Form that answers: TFLite, without TensorFlow."""

DEFAULT_MODALITY: Modality = "CT"

NONE = (
    "this installation carries no model: name one, a run directory, SavedModel folder or .tflite file, "
    "or train one with python train.py"
)


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A shipped model whose manifest has been read.

    Attributes:
      path: its folder.
      content: the manifest.
    """

    path: pathlib.Path
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the folder, by which commands take it."""
        return self.path.name

    @property
    def modality(self) -> Modality | None:
        """What kind of image it knows."""
        return self.content["modality"]

    @property
    def version(self) -> int:
        """Its date, YYYYMMDD."""
        return int(self.content["date"])

    @property
    def figures(self) -> dict[str, Any]:
        """`auc` and `file_facts_auc` (`value`, `low`, `high`, 95 % over groups) on `images` of `split`."""
        return self.content["figures"]

    @property
    def megabytes(self) -> float:
        """Size of all that this installation has of it."""
        return sum((self.path / name).stat().st_size for name in self.content["files"] if self.has(name)) / 1e6

    @property
    def answering_file(self) -> pathlib.Path:
        """The TFLite file that answers.

        Raises:
          CtcovError: it is missing, or not the file that was shipped.
        """
        return self.file(self.content["tflite"][ANSWERING])

    def has(self, name: str) -> bool:
        """Whether this installation has a file of the folder."""
        return (self.path / name).is_file()

    def file(self, name: str) -> pathlib.Path:
        """A file of the folder, held to its SHA-256.

        Args:
          name: as in the manifest.

        Raises:
          CtcovError: it is missing, or not the file that was shipped.
        """
        path, recorded = self.path / name, self.content["files"].get(name)
        if recorded is None:
            raise errors.CtcovError(f"{path}: not a file of this shipped model: remove {MANIFEST} to work on a copy")
        if not path.is_file():
            raise errors.CtcovError(
                f"{path}: not in this installation, which carries what answers: take the folder from weights/ of the "
                "repository"
            )
        self.hold(name, files.sha256(path))
        return path

    def hold(self, name: str, sha256: str) -> None:
        """Compares a file's SHA-256 with that of the manifest.

        Args:
          name: as in the manifest.
          sha256: in hexadecimal.

        Raises:
          CtcovError: it is not the file that was shipped.
        """
        if sha256 != self.content["files"].get(name, {}).get("sha256"):
            raise errors.CtcovError(
                f"{self.path / name}: not the file that was shipped: take it from the repository again, or remove "
                f"{MANIFEST} from a copy of the folder to work on that"
            )

    def check(self) -> None:
        """Holds every file that is there to its SHA-256.

        Raises:
          CtcovError: one is another.
        """
        for name in self.content["files"]:
            if self.has(name):
                self.file(name)

    def facts(self) -> dict[str, Any]:
        """What an answer says of the model that gave it: name, training data, figures."""
        return {"name": self.name, "trained_on": self.content["trained_on"], **self.figures}

    def sentence(self) -> str:
        """The same as a line of text."""
        beside = [
            f"{words}: {metric['value']:.3f}"
            for words, name in (("file facts alone", "file_facts_auc"), ("within one source", "same_source_auc"))
            if (metric := self.figures[name]) and metric["value"] is not None
        ]
        whole = (
            f"model {self.name}, trained on {self.content['trained_on']}: AUC {interval(self.figures['auc'])} on "
            f"{self.figures['images']} images of its test part"
        )
        return f"{whole} ({', '.join(beside)})" if beside else whole


def interval(metric: dict[str, float | None] | None) -> str:
    """A metric with its interval, as text."""
    if not metric or metric["value"] is None:
        return "-"
    if metric["low"] is None or metric["high"] is None:
        return f"{metric['value']:.3f}"
    return f"{metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"


def root() -> pathlib.Path:
    """Folder of the shipped models."""
    return pathlib.Path(os.environ.get(VARIABLE) or pathlib.Path(__file__).parent / "weights")


def is_shipped(path: str | pathlib.Path) -> bool:
    """Whether a path is the folder of a shipped model."""
    return (pathlib.Path(path) / MANIFEST).is_file()


def read(path: str | pathlib.Path) -> Shipped:
    """Reads the manifest of a shipped model.

    Args:
      path: its folder.

    Raises:
      CtcovError: the manifest is damaged or of another version.
    """
    path = pathlib.Path(path)
    place = path / MANIFEST
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, this version reads {FORMAT}")
        content["files"], content["tflite"][ANSWERING], int(content["date"])
        content["trained_on"], content["figures"]["auc"], content["modality"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.CtcovError(f"{place}: damaged ({error}): take it from the repository again") from error
    return Shipped(path.resolve(), content)


def check_file(path: pathlib.Path, content: bytes) -> None:
    """Holds a file to the manifest that stands beside it, where one does.

    Args:
      path: the file.
      content: what was read from it.

    Raises:
      CtcovError: the manifest is damaged, does not know the file, or knows another content of it.
    """
    if is_shipped(path.parent):
        read(path.parent).hold(path.name, hashlib.sha256(content).hexdigest())


def models() -> tuple[Shipped, ...]:
    """All shipped models, the best of each modality first.

    One that was declared the default comes first, then those of the highest AUC on validation images: the test part
    chooses nothing.
    """
    found = [read(place.parent) for place in sorted(root().glob(f"*/{MANIFEST}"))]
    return tuple(sorted(found, key=_rank))


def _rank(model: Shipped) -> tuple[Any, ...]:
    auc = model.figures.get("validation_auc")
    return (model.modality != DEFAULT_MODALITY, not model.content.get("default"), -(auc or 0.0), -model.version)


def best(modality: Modality = DEFAULT_MODALITY) -> Shipped | None:
    """The model that answers where none is named; None where none ships for the modality."""
    return next((model for model in models() if model.modality == modality), None)


def named(name: str) -> Shipped | None:
    """A shipped model by its name, or by its name without the date, which means the latest of that name.

    Args:
      name: of the folder.
    """
    found = [model for model in models() if name in (model.name, stem(model))]
    return max(found, key=lambda model: model.version, default=None)


def stem(model: Shipped) -> str:
    """A model's name without its date."""
    return model.name.rpartition("-")[0]


def newest() -> tuple[Shipped, ...]:
    """Of each name without its date the latest, the default first: what is served."""
    ordered = models()
    latest = {stem(model): model for model in sorted(ordered, key=lambda model: model.version)}
    return tuple(model for model in ordered if latest[stem(model)] == model)


def remedy(modality: Modality | None) -> str | None:
    """Which other shipped model to try where one refuses an image; None where there is none.

    Args:
      modality: what the model that refused knows.
    """
    others: Sequence[Modality] = [one for one in NAMES if one != modality]
    found = [(one, model) for one in others if (model := best(one))]
    return "; ".join(f"for {NAMES[one]}: --model {model.name}" for one, model in found) or None
