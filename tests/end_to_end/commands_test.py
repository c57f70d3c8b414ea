"""Whole commands, each in a process of its own, from a built dataset to answers from every kind of model."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ctcov_tf import RESEARCH_USE

PROJECT = pathlib.Path(__file__).parents[2]
SMALL = ("--image-size", "48", "--blocks", "1", "1", "1", "1")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("end_to_end")


@pytest.fixture(scope="module")
def data(phantom_data_dir):
    return ("--dataset", "phantom/tiny", "--data-dir", str(phantom_data_dir))


@pytest.fixture(scope="module")
def image_file(phantom_data_dir, workplace):
    """A training image, which the input gate of so small a run lets pass."""
    from ctcov_tf import config
    from ctcov_tf.datasets import contents

    example = next(
        contents.examples(
            config.DataConfig(dataset="phantom/tiny", data_dir=str(phantom_data_dir)), "train"
        ).as_numpy_iterator()
    )
    path = workplace / "slice.png"
    path.write_bytes(example["image"])
    return path


@pytest.fixture(scope="module")
def run_directory(run, workplace, data):
    path = workplace / "run"
    answer = run("train.py", "deep_ct_net_tiny", *data, *SMALL, "--epochs", "2", "--run-dir", path)
    assert answer.returncode == 0, answer.stderr
    assert f"ctcov evaluate {path}" in answer.stdout
    return path


@pytest.fixture(scope="module")
def exports(run, run_directory, workplace):
    answer = run("export.py", run_directory, "--out", workplace / "exports", "--forms", "saved_model", "float32")
    assert answer.returncode == 0, answer.stderr
    assert RESEARCH_USE in answer.stdout
    return workplace / "exports"


def test_evaluate_writes_the_report(ctcov, run_directory):
    answer = ctcov("evaluate", run_directory)
    assert answer.returncode == 0, answer.stderr
    assert RESEARCH_USE in answer.stdout
    page = (run_directory / "report.html").read_text()
    assert RESEARCH_USE in page
    assert 'src="data:image/png;base64,' in page
    assert len((run_directory / "test_readings.jsonl").read_text().splitlines()) == 1


def test_the_card_tells_of_the_whole_evaluation(ctcov, ctcov_here, run_directory, tmp_path):
    """What evaluation and calibration really write, no hand-made record, finds its way into the card."""
    shutil.copytree(run_directory, tmp_path / "run")
    if not (tmp_path / "run" / "metrics.json").is_file():
        assert ctcov_here("evaluate", tmp_path / "run").returncode == 0
    answer = ctcov("card", tmp_path / "run", "--out", tmp_path / "card", "--json")
    assert answer.returncode == 0, answer.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    card = (tmp_path / "card" / "model_card.md").read_text()
    error = metrics["calibration"]["test"]["after"]["brier"]["value"]
    assert f"{error:.3f}" in card
    assert "predictive values / positive / where 5% are positive" in card
    page = (tmp_path / "card" / "model_card.html").read_text()
    for figure in ("ROC curves", "Reliability of the probabilities", "Net benefit over the threshold"):
        assert f'alt="{figure}' in page
    assert metrics["controls"]["test"].keys() <= json.loads(answer.stdout)["evaluation"]["controls"]["test"].keys()


def test_explain_draws_an_overlay(ctcov, run_directory, image_file, tmp_path):
    answer = ctcov("explain", run_directory, image_file, "--out", tmp_path)
    assert answer.returncode == 0, answer.stderr
    (overlay,) = tmp_path.glob("*.png")
    assert overlay.read_bytes().startswith(b"\x89PNG")


def test_run_saved_model_and_tflite_answer_alike(ctcov, run_directory, exports, image_file):
    answers = {}
    (tflite,) = exports.glob("*.tflite")
    for model in (run_directory, exports / "deep_ct_net_tiny", tflite):
        answer = ctcov("predict", model, image_file, "--json")
        assert answer.returncode == 0, answer.stderr
        answers[model.name] = json.loads(answer.stdout)
    first, *others = answers.values()
    assert first["notice"] == RESEARCH_USE
    for other in others:
        assert other["probability"] == pytest.approx(first["probability"], abs=1e-4)
        assert (other["label"], other["threshold"]) == (first["label"], first["threshold"])


def test_one_bad_image_does_not_stop_the_others(ctcov, exports, image_file, tmp_path):
    bad = tmp_path / "empty.png"
    bad.touch()
    (tflite,) = exports.glob("*.tflite")
    answer = ctcov("predict", tflite, bad, image_file, "--json")
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {bad}: empty")
    assert len(answer.stdout.splitlines()) == 1


def test_export_never_overwrites(run, run_directory, exports):
    answer = run("export.py", run_directory, "--out", exports, "--forms", "saved_model")
    assert answer.returncode == 2
    assert "--version" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_exports_are_ready_for_tensorflow_serving(run, run_directory, exports):
    """A second version becomes the canary; it has a warm-up file, and the first also the TFLite form beside it."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    def labels():
        config = text_format.Parse((exports / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
        (model,) = config.model_config_list.config
        assert model.base_path == "/models/deep_ct_net_tiny"
        return dict(model.version_labels)

    assert labels() == {"stable": 1, "canary": 1}
    assert {"compose.yaml", "batching_parameters.txt"} <= {path.name for path in exports.iterdir()}
    again = ("export.py", run_directory, "--out", exports, "--forms", "saved_model", "--version", "2", "--no-verify")
    answer = run(*again)
    assert answer.returncode == 0, answer.stderr
    assert labels() == {"stable": 1, "canary": 2}
    model = exports / "deep_ct_net_tiny"
    assert (model / "2" / "assets.extra" / "tf_serving_warmup_requests").is_file()
    assert [(model / version / "model.tflite").exists() for version in ("1", "2")] == [True, False]
    (exports / "models.config").write_text("oops {")
    answer = run(*again[:-2], "3")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "models.config" in answer.stderr
    assert not (model / "3").exists()


def test_ctrl_c_leaves_a_run_that_goes_on(run, workplace, data):
    path = workplace / "interrupted"
    command = [sys.executable, "train.py", "deep_ct_net_tiny", *data, *SMALL, "--epochs", "60", "--run-dir", str(path)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        deadline = time.monotonic() + 600
        history = path / "history.csv"
        while not (history.is_file() and len(history.read_text().splitlines()) > 3):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=300)
    assert process.returncode == 130, error
    assert f"--resume {path}" in output
    assert "Traceback" not in error
    assert (path / "model.keras").is_file()
    trained = len(history.read_text().splitlines())

    config = json.loads((path / "config.json").read_text())
    config["config"]["train"]["epochs"] = trained + 1
    (path / "config.json").write_text(json.dumps(config))
    answer = run("train.py", "--resume", path)
    assert answer.returncode == 0, answer.stderr
    epochs = [line.split(",")[0] for line in history.read_text().splitlines()[1:]]
    assert epochs == [str(epoch) for epoch in range(trained + 1)]
    assert (path / "calibration.json").is_file()
