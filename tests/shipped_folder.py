"""The folder of a shipped model with a TFLite file alone, as a wheel has it."""

import json
import shutil

from ctcov_tf import files, shipped


def metric(value):
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def write(root, name, tflite, *, modality="CT", validation_auc=0.8, default=False):
    folder = root / name
    folder.mkdir(parents=True)
    shutil.copy(tflite, folder / f"{name}-float32.tflite")
    manifest = {
        "format": shipped.FORMAT,
        "preset": name.rpartition("-")[0],
        "modality": modality,
        "trained_on": "covid_ct:1.0.0",
        "date": name.rpartition("-")[2],
        "default": default,
        "figures": {
            "split": "test",
            "images": 203,
            "auc": metric(0.8712),
            "file_facts_auc": metric(0.6543),
            "same_source_auc": metric(0.6123),
            "validation_auc": validation_auc,
        },
        "tflite": {"float32": f"{name}-float32.tflite"},
        "files": {
            f"{name}-float32.tflite": {"sha256": files.sha256(tflite), "bytes": tflite.stat().st_size},
            "model.keras": {"sha256": "0" * 64, "bytes": 1},
        },
    }
    (folder / shipped.MANIFEST).write_text(json.dumps(manifest))
    return folder
