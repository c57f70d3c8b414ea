"""All that the files of a run directory say, and nothing else: the only source of a card."""

import csv
import json
import pathlib
from typing import Any

from ctcov_tf import RESEARCH_USE, __version__, config, errors, files, modality
from ctcov_tf.card import dataset_facts
from ctcov_tf.card.unknown import Unknown
from ctcov_tf.run_directory import RunDirectory

FORMAT = 1
SAME_AUC = 1e-3  # difference of AUC that arithmetic on another machine may make
EVALUATE = Unknown("run ctcov evaluate")
FINISH = Unknown("finish the run with train.py --resume")


def collect(run: RunDirectory, verification: pathlib.Path | None = None) -> dict[str, Any]:
    """Reads a run directory.

    Args:
      run: the run; whatever is missing beside its `config.json` becomes an `Unknown`.
      verification: record that export.py wrote beside the exports.

    Returns:
      Plain JSON types: `run`, `model`, `settings`, `versions`, `data`, `training`, `calibration` (calibration.json as
      it stands), `evaluation` (metrics.json as it stands), `test_readings`, `export` (the record as it stands),
      `figures` (file names), `files` (sha256 of each that was read, or that it is missing), `notice`.

    Raises:
      CtcovError: a file is damaged, or `verification` is missing or that of another run.
    """
    settings = config.to_dict(run.config)
    del settings["data"]["data_dir"]  # where a machine keeps its data is nobody else's business
    read = [run.path / "config.json", run.model_file, run.history_file, run.calibration_file, run.metrics_file]
    read += [run.test_readings_file, *([verification] if verification else [])]
    evaluation = _read(run, run.metrics_file, EVALUATE)
    known = modality.of_dataset(run.manifest["name"])
    return {
        "format": FORMAT,
        "written_by": f"ctcov {__version__}",
        "run": {"name": run.path.resolve().name, "preset": run.preset, "started_from": run.started_from},
        "model": {
            "kind": settings["model"]["kind"],
            "input": modality.VIEWS[known] if known else Unknown("the author has to say what the images are"),
            "image_size": run.config.preprocess.image_size,
            "head": run.labels.head,
            "outputs": list(run.labels.outputs),
            "positive": run.labels.positive,
            "parts": [
                {
                    "name": part.name,
                    "preset": part.preset,
                    "trained_on": part.trained_on,
                    "outputs": list(part.labels.outputs),
                    "sha256": part.sha256,
                }
                for part in run.parts
            ],
        },
        "settings": settings,
        "versions": run.versions,
        "data": {**run.manifest, **dataset_facts.read(run.manifest["name"], run.config.data.data_dir)},
        "training": _training(run.history_file, run.config.train),
        "calibration": _read(run, run.calibration_file, FINISH),
        "evaluation": evaluation,
        "test_readings": _readings(run.test_readings_file),
        "export": _export(run, verification, evaluation),
        "figures": sorted(path.name for path in run.figures.glob("*.png")),
        "files": {path.name: _sha256(path) for path in read},
        "notice": RESEARCH_USE,
    }


def _read(run: RunDirectory, path: pathlib.Path, missing: Unknown) -> Any:
    return run.read_json(path, "write it again: " + missing.removeprefix("unknown: ")) if path.is_file() else missing


def _export(run: RunDirectory, verification: pathlib.Path | None, evaluation: Any) -> Any:
    """The record of the exports, held to be that of this run's data and network."""
    if verification is None:
        return Unknown("export the run with export.py and name its record with --verification")
    record = run.read_json(verification, "name the record that export.py wrote beside the exports")
    if record["dataset"] != run.manifest["name"]:
        raise errors.CtcovError(
            f"{verification}: made on {record['dataset']}, the run was trained on {run.manifest['name']}: "
            "name the record of this run's exports"
        )
    judged = {} if isinstance(evaluation, Unknown) else evaluation["splits"].get(record["split"], {})
    ours, theirs = judged.get("metrics", {}).get("auc", {}).get("value"), record["forms"]["keras"]["auc"]
    if record["forms"]["keras"].get("refused"):
        return record  # its AUC is of the images that the input gate lets pass, ours of all
    if judged.get("images") == record["images"] and ours and theirs and abs(ours - theirs) > SAME_AUC:
        raise errors.CtcovError(
            f"{verification}: record of another network: AUC {theirs:.4f} on {record['split']}, this run's is "
            f"{ours:.4f}: name the record of this run's exports"
        )
    return record


def _training(history: pathlib.Path, settings: config.TrainConfig) -> dict[str, Any] | Unknown:
    """Epochs, and the one of the last image size whose weights were kept."""
    if not history.is_file():
        return FINISH
    with history.open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    if not rows:
        return FINISH
    found: dict[str, Any] = {"epochs": len(rows)}
    for name in ("loss", "val_loss", "auc", "val_auc"):
        if rows[-1].get(name):
            found[f"last_{name}"] = float(rows[-1][name])
    if rows[-1].get("val_auc"):
        last_stage = [row for row in rows if row.get("image_size") == rows[-1].get("image_size")]
        kept = last_stage[settings.kept_epoch([float(row["val_auc"]) for row in last_stage])]
        found |= {"kept_epoch": rows.index(kept) + 1, "kept_val_auc": float(kept["val_auc"])}
    return found


def _readings(log: pathlib.Path) -> list[dict[str, Any]]:
    """Readings of a test part; none where there is no log."""
    if not log.is_file():
        return []
    try:
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]
    except ValueError as error:
        raise errors.CtcovError(f"{log}: damaged ({error}): mend the line, every reading counts") from error


def _sha256(path: pathlib.Path) -> str:
    return files.sha256(path) if path.is_file() else "missing"
