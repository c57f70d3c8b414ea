"""What the builder of a dataset has written beside its records: source, citation, licence, known faults."""

import json
import os
import pathlib
from typing import Any

from ctcov_tf.card.unknown import Unknown

FAULTS = "Known faults:"  # how builders of this project begin that paragraph of their description


def read(name: str, data_dir: str | None) -> dict[str, Any]:
    """Reads `dataset_info.json` and `build_report.json`, without TensorFlow.

    Args:
      name: TFDS name with config and version.
      data_dir: where it was built; TFDS's own default if None.

    Returns:
      `description`, `config`, `source` (addresses), `citation`, `licence`, `known_faults`, `groups_disjoint`,
      `left_out` (files and the reason for each), each `Unknown` where the builder has not said it.
    """
    folder = _folder(name, data_dir)
    info = _json(folder / "dataset_info.json")
    if info is None:
        missing = Unknown(f"build {name.partition(':')[0]} at the run's --data-dir and write the card again")
        keys = ("description", "config", "source", "citation", "licence", "known_faults", "groups_disjoint", "left_out")
        return dict.fromkeys(keys, missing)
    description = info.get("description", "")
    declared = _json(folder / "metadata.json") or {}
    report = _json(folder / "build_report.json")
    return {
        "description": description or Unknown("the builder does not describe the dataset"),
        "config": info.get("configDescription") or Unknown("the builder has no configs, or does not describe this one"),
        "source": info.get("location", {}).get("urls") or Unknown("the builder names no address"),
        "citation": info.get("citation") or Unknown("the builder names no publication"),
        "licence": info.get("redistributionInfo", {}).get("license")
        or Unknown("the builder records none; ask whoever owns the images"),
        "known_faults": _paragraph(description, FAULTS) or Unknown("the builder names none; look for them"),
        "groups_disjoint": declared.get("groups_disjoint", Unknown("the builder does not say")),
        "left_out": [*report.get("unreadable", []), *report.get("dropped", [])]
        if report
        else Unknown("the builder writes no report of files left out"),
    }


def _folder(name: str, data_dir: str | None) -> pathlib.Path:
    dataset, _, version = name.partition(":")
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return pathlib.Path(data_dir or default).expanduser() / dataset / version


def _json(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _paragraph(text: str, beginning: str) -> str | None:
    found = next((part for part in text.split("\n\n") if part.startswith(beginning)), None)
    return found and " ".join(found.removeprefix(beginning).split())
