"""A run directory that the first version wrote is loaded, answers and is evaluated as it was then."""

import json
import pathlib
import shutil

import pytest

from ctcov_tf import predictor, run_directory
from ctcov_tf.evaluation import protocols

HERE = pathlib.Path(__file__).parent
LARGEST = 100_000  # bytes of the whole run


@pytest.fixture(scope="module")
def run(tmp_path_factory, phantom_data_dir):
    path = tmp_path_factory.mktemp("run") / "run"
    shutil.copytree(HERE / "run", path)
    content = json.loads((path / "config.json").read_text())
    content["config"]["data"]["data_dir"] = str(phantom_data_dir)
    (path / "config.json").write_text(json.dumps(content))
    return run_directory.load(path)


@pytest.fixture(scope="module")
def expected():
    return json.loads((HERE / "expected.json").read_text())


def test_it_is_what_the_first_version_wrote():
    assert json.loads((HERE / "run" / "config.json").read_text())["format"] == 1
    assert "model_sha256" not in json.loads((HERE / "run" / "calibration.json").read_text())
    assert sum(path.stat().st_size for path in (HERE / "run").rglob("*")) < LARGEST


def test_it_answers_as_it_did(run, expected):
    answer = predictor.load(run.path).predict((HERE / "image.png").read_bytes(), "image.png")
    assert answer.probability == pytest.approx(expected["probability"], abs=1e-5)
    assert answer.label == expected["label"]


def test_it_is_evaluated_as_it_was(run, expected):
    metrics = protocols.evaluate(run, ("validation",), reason="compatibility", explain=False)
    assert metrics["splits"]["validation"]["metrics"]["auc"]["value"] == pytest.approx(expected["auc"], abs=1e-6)
    assert run.report_file.is_file()
