import json
import shutil

import pytest

from ctcov_tf import run_directory


@pytest.fixture
def bare_run(tiny_run, tmp_path):
    """A trained run that nobody has evaluated."""
    shutil.copytree(tiny_run.path, tmp_path / "bare", ignore=shutil.ignore_patterns("predictions", "figures"))
    return run_directory.load(tmp_path / "bare")


def metric(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


@pytest.fixture
def evaluation():
    """metrics.json as `ctcov evaluate` writes it, with numbers that stand nowhere else."""
    names = ("precision", "recall", "specificity", "f1", "accuracy", "auc", "average_precision")
    part = {
        "images": 24,
        "groups": 8,
        "positives": 9,
        "threshold": 0.5,
        "metrics": {name: metric(0.6111 + number / 50) for number, name in enumerate(names)},
        "confusion": {"tp": 5, "fp": 3, "fn": 4, "tn": 12},
        "groups_in_train": 0,
        "images_in_train": 0,
    }
    return {
        "splits": {"validation": part, "test": part},
        "same_source": {},
        "metadata_only": {"test": part | {"auc_difference": metric(0.0777)}},
        "source_alone": {},
        "findings": None,
        "pointing_game": {"split": "test", "share": 0.4321, "low": 0.3, "high": 0.5, "chance": 0.1234},
        "controls": {"test": {"border only": {"auc": metric(0.5678)}}},
        "bootstrap": {"unit": "group", "replicates": 2000, "seed": 0, "level": 0.95},
        "warnings": [],
        "remarks": ["The images are synthetic."],
    }


@pytest.fixture
def run(bare_run, evaluation):
    """A run that was evaluated, with operating points and an input gate."""
    bare_run.metrics_file.write_text(json.dumps(evaluation))
    points = [{"name": "sensitive", "threshold": 0.2345, "rule": "sensitivity 0.95", "sensitivity": metric(0.8421)}]
    calibration = json.loads(bare_run.calibration_file.read_text())
    calibration |= {"temperature": 1.4567, "operating_points": points, "gate": {"threshold": 77.25}}
    bare_run.calibration_file.write_text(json.dumps(calibration))
    bare_run.log_test_reading("test", "the table of the card's test")
    return bare_run
