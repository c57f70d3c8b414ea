"""The run directory: the only thing that passes between commands.

config.json        format, preset, resolved configuration, labels, data manifest, package versions
model.keras        the best checkpoint's network, float32, from pre-processed images to logits
history.csv        one row an epoch
calibration.json   threshold, temperature and what else was fitted after training, on validation images; SHA-256 of the
                   model.keras and gate.npz that they belong to
gate.npz           arrays of the input gate, fitted to training images
likelihoods/       <split>.csv: what the frozen parts say of every image; Deep-CXR-Net only
predictions/       <split>.csv: probability of every image
metrics.json       metrics with intervals, by split
test_readings.jsonl  when a test part was read, and what for
figures/  report.html  card/  logs/ (TensorBoard)  checkpoints/
"""

import dataclasses
import datetime
import json
import pathlib
from typing import TYPE_CHECKING, Any

from ctcov_tf import config as config_lib
from ctcov_tf import errors, files, modality, shipped
from ctcov_tf.model_info import Labels, ModelInfo, PartInfo, read_fitted

if TYPE_CHECKING:
    import keras

    from ctcov_tf.models.input_gate import Gate

FORMAT = 1

MODEL_SHA256 = "model_sha256"
"""Key of `calibration.json`: SHA-256 of the `model.keras` that was calibrated."""


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """A run directory whose `config.json` has been read.

    Attributes:
      path: the folder.
      preset: name of the preset that the run started from.
      config: the resolved configuration.
      labels: what the model's outputs mean.
      manifest: what the data were: TFDS name and version, images and groups by split and class, hash; of a
        pre-training `also` lists those of its other datasets.
      versions: packages and Python that trained it.
      parts: the frozen parts that Deep-CXR-Net fuses; none in other models.
      started_from: the run whose weights training started from (`run`, `preset`, `trained_on`, `sha256`), if any.
    """

    path: pathlib.Path
    preset: str
    config: config_lib.Config
    labels: Labels
    manifest: dict[str, Any]
    versions: dict[str, str]
    parts: tuple[PartInfo, ...] = ()
    started_from: dict[str, Any] | None = None

    @property
    def pretraining(self) -> bool:
        """Whether it is a pre-training without labels: a start for other runs, which itself answers nothing."""
        return isinstance(self.config.model, config_lib.TwoViewsConfig)

    @property
    def finished(self) -> bool:
        """Whether nothing of its training is left to do."""
        if self.pretraining:
            return self.model_file.is_file() and not self.checkpoints.exists()
        return self.calibration_file.is_file()

    @property
    def manifests(self) -> list[dict[str, Any]]:
        """What the data were, one for each dataset."""
        return [self.manifest, *self.manifest.get("also", ())]

    @property
    def trained_on(self) -> str:
        """Names and versions of its datasets."""
        return ", ".join(one["name"] for one in self.manifests)

    @property
    def model_file(self) -> pathlib.Path:
        """The trained network."""
        return self.path / "model.keras"

    @property
    def history_file(self) -> pathlib.Path:
        """Loss and metrics, one row an epoch."""
        return self.path / "history.csv"

    @property
    def calibration_file(self) -> pathlib.Path:
        """All that was fitted after training but the gate's arrays: threshold, temperature, operating points, ..."""
        return self.path / "calibration.json"

    @property
    def gate_file(self) -> pathlib.Path:
        """Arrays of the input gate."""
        return self.path / "gate.npz"

    @property
    def metrics_file(self) -> pathlib.Path:
        """Metrics with intervals."""
        return self.path / "metrics.json"

    @property
    def report_file(self) -> pathlib.Path:
        """The self-contained page."""
        return self.path / "report.html"

    @property
    def figures(self) -> pathlib.Path:
        """Folder of PNG figures."""
        return self.path / "figures"

    @property
    def logs(self) -> pathlib.Path:
        """Folder of TensorBoard logs."""
        return self.path / "logs"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Folder of the states from which `--resume` goes on."""
        return self.path / "checkpoints"

    @property
    def test_readings_file(self) -> pathlib.Path:
        """Log of every reading of a test part."""
        return self.path / "test_readings.jsonl"

    @property
    def cards(self) -> pathlib.Path:
        """Folder of the model card and the data card."""
        return self.path / "card"

    def read_model_card(self) -> str | None:
        """The model card, in Markdown; None where `ctcov card` has not been run."""
        card = self.cards / "model_card.md"
        return card.read_text(encoding="utf-8") if card.is_file() else None

    def likelihoods_file(self, split: str) -> pathlib.Path:
        """Likelihoods that the frozen parts give for every image of `split`."""
        return self.path / "likelihoods" / f"{split}.csv"

    def predictions_file(self, split: str) -> pathlib.Path:
        """Probabilities of every image of `split`."""
        return self.path / "predictions" / f"{split}.csv"

    def save(self) -> None:
        """Writes `config.json`."""
        content = {
            "format": FORMAT,
            "preset": self.preset,
            "config": config_lib.to_dict(self.config),
            "labels": dataclasses.asdict(self.labels),
            "manifest": self.manifest,
            "versions": self.versions,
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "started_from": self.started_from,
        }
        files.write_json(self.path / "config.json", content)

    def model_info(self) -> ModelInfo:
        """The record that travels with the exported model.

        Raises:
          CtcovError: the run has no threshold yet.
        """
        calibration = self._calibration()
        try:
            return ModelInfo(
                name=self.preset,
                labels=self.labels,
                threshold=float(calibration["threshold"]),
                threshold_rule=calibration["threshold_rule"],
                preprocess=self.config.preprocess,
                trained_on=self.manifest["name"],
                parts=self.parts,
                modality=modality.of_dataset(self.manifest["name"]),
                **read_fitted(calibration),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise errors.CtcovError(
                f"{self.calibration_file}: damaged ({error}): ctcov calibrate {self.path}"
            ) from error

    @property
    def temperature(self) -> float:
        """What the logits are divided by; 1 before it is fitted, and in runs of versions that fitted none."""
        return self._calibration().get("temperature", 1.0) if self.calibration_file.is_file() else 1.0

    def _calibration(self) -> dict[str, Any]:
        calibration = self.read_json(self.calibration_file, "train it to its end, or resume it with --resume")
        if not isinstance(calibration, dict):
            raise errors.CtcovError(f"{self.calibration_file}: damaged (no object): ctcov calibrate {self.path}")
        return calibration

    def load_gate(self) -> "Gate | None":
        """The input gate that belongs to the run's calibration; None where it has none.

        Raises:
          CtcovError: its arrays are missing, damaged, or belong to another calibration.
        """
        info = self.model_info().gate
        if info is None:
            return None
        from ctcov_tf.models.input_gate import Gate

        return Gate.load(self.gate_file, info.sha256, f"ctcov calibrate {self.path}")

    def load_model(self) -> "keras.Model":
        """The trained network: pre-processed images (batch, size, size, 3), float32, to logits (batch, outputs).

        It is read in Keras' safe mode: a file that holds code, such as a Lambda layer, is refused.

        Raises:
          CtcovError: `model.keras` is missing, cannot be read, is not the file that the calibration belongs to, or does
            not hold the `parts` of the record.
        """
        import keras

        import ctcov_tf.layers  # noqa: F401  registers the custom layers
        from ctcov_tf.models import scores

        if shipped.is_shipped(self.path):
            shipped.read(self.path).file(self.model_file.name)
        if not self.model_file.is_file():
            raise errors.CtcovError(f"{self.model_file}: missing: finish the run with train.py --resume")
        recorded = self._calibration().get(MODEL_SHA256) if self.calibration_file.is_file() else None
        if recorded not in (None, files.sha256(self.model_file)):
            raise errors.CtcovError(
                f"{self.model_file}: not the model that calibration.json tells of: put back the file that was there, "
                "or train again"
            )
        try:
            model = keras.saving.load_model(self.model_file, compile=False, safe_mode=True)
        except Exception as error:  # a damaged or forged file can raise anything
            what = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
            raise errors.CtcovError(f"{self.model_file}: cannot be read ({what}): train again") from error
        scores.check_parts(model, self.parts, str(self.model_file))
        return model

    def load_calibrated_model(self) -> "keras.Model":
        """The same with the run's temperature inside: its logits give probabilities that mean what they say.

        Raises:
          CtcovError: as `load_model`, and where `calibration.json` is damaged.
        """
        from ctcov_tf.models import scores

        return scores.calibrated(self.load_model(), self.temperature)

    def read_json(self, path: pathlib.Path, remedy: str) -> Any:
        """Reads one of the run's JSON files.

        Args:
          path: the file.
          remedy: what to do where it is missing.

        Raises:
          CtcovError: the file is missing or damaged.
        """
        return _read_json(path, remedy)

    def log_test_reading(self, split: str, reason: str) -> None:
        """Adds a line to the log of test readings: when, which part, what for."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        line = json.dumps({"time": now, "dataset": self.manifest["name"], "split": split, "reason": reason})
        with self.test_readings_file.open("a", encoding="utf-8") as log:
            log.write(line + "\n")


def load(path: str | pathlib.Path) -> RunDirectory:
    """Reads a run directory.

    Args:
      path: the folder that `train.py` wrote.

    Returns:
      The run.

    Raises:
      CtcovError: the folder is missing, is no run directory, is of another version, is no longer as it was shipped,
        or is a pre-training without labels, which answers nothing.
    """
    run = load_any(path)
    if run.pretraining:
        raise errors.CtcovError(
            f"{run.path}: is a pre-training, which answers nothing: start a run from it with --init-from {run.path}"
        )
    return run


def load_any(path: str | pathlib.Path) -> RunDirectory:
    """Reads a run directory, also one of a pre-training without labels.

    Args:
      path: the folder that `train.py` wrote.

    Returns:
      The run.

    Raises:
      CtcovError: the folder is missing, is no run directory, is of another version, or is no longer as it was
        shipped.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise errors.CtcovError(
            f"{path}: no such run directory: train one with python train.py <preset> --run-dir {path}"
        )
    if shipped.is_shipped(path):
        model = shipped.read(path)
        for name in ("config.json", "calibration.json"):
            model.file(name)
    content = _read_json(path / "config.json", "this is no run directory; name one that train.py wrote")
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        raise errors.CtcovError(
            f"{path / 'config.json'}: format {found}, this version of ctcov reads {FORMAT}: "
            + ("update ctcov" if newer else "train again, or use the version that wrote it")
        )
    try:
        if not isinstance(content["preset"], str) or not isinstance(content["manifest"]["name"], str):
            raise TypeError("preset and name of the manifest are no text")
        return RunDirectory(
            path=path,
            preset=content["preset"],
            config=config_lib.from_dict(content["config"]),
            labels=Labels.from_dict(content["labels"]),
            manifest=content["manifest"],
            versions=content["versions"],
            parts=tuple(map(PartInfo.from_dict, content.get("parts", ()))),
            started_from=content.get("started_from"),
        )
    except errors.CtcovError as error:
        raise errors.CtcovError(f"{path / 'config.json'}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.CtcovError(f"{path / 'config.json'}: damaged ({error}): train again") from error


def _read_json(path: pathlib.Path, remedy: str) -> Any:
    if not path.is_file():
        raise errors.CtcovError(f"{path}: missing: {remedy}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, nested without end
        raise errors.CtcovError(f"{path}: damaged ({error}): {remedy}") from error
