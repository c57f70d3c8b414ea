"""Deep-CXR-Net by its commands: two parts, their fusion, and answers with the likelihoods by name."""

import json
import pathlib

import pytest

from ctcov_tf import config

PROJECT = pathlib.Path(__file__).parents[2]
SMALL = ("--image-size", "48", "--blocks", "1", "1", "1", "1", "--epochs", "1")
LIKELIHOODS = [f"part1_{finding}" for finding in config.FINDINGS] + ["part2_pneumonia", "part2_normal"]


@pytest.fixture(scope="module")
def data(phantom_data_dir):
    return ("--data-dir", str(phantom_data_dir), "--dataset")


@pytest.fixture(scope="module")
def parts(run, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("parts")
    for number, dataset in ((1, "phantom/cxr_tiny"), (2, "phantom/cxr_pneumonia_tiny")):
        answer = run(
            "train.py", f"cxr_part{number}_tiny", *data, dataset, *SMALL, "--run-dir", folder / f"part{number}"
        )
        assert answer.returncode == 0, answer.stderr
    return ("--part1", folder / "part1", "--part2", folder / "part2")


@pytest.fixture(scope="module")
def fusion(run, tmp_path_factory, data, parts):
    path = tmp_path_factory.mktemp("fusion") / "run"
    answer = run("train.py", "deep_cxr_net_tiny", *data, "phantom/cxr_tiny", *SMALL, *parts, "--run-dir", path)
    assert answer.returncode == 0, answer.stderr
    return path


@pytest.fixture(scope="module")
def image_file(phantom_data_dir, tmp_path_factory):
    """A training image, which the input gate of so small a run lets pass."""
    from ctcov_tf.datasets import contents

    settings = config.DataConfig(dataset="phantom/cxr_tiny", data_dir=str(phantom_data_dir))
    path = tmp_path_factory.mktemp("image") / "film.png"
    path.write_bytes(next(contents.examples(settings, "train").as_numpy_iterator())["image"])
    return path


def test_every_form_gives_the_same_likelihoods_by_name(run, ctcov_here, fusion, image_file, tmp_path):
    answer = run("export.py", fusion, "--out", tmp_path, "--forms", "saved_model", "float32")
    assert answer.returncode == 0, answer.stderr
    answers = []
    for model in (fusion, tmp_path / "deep_cxr_net_tiny", *tmp_path.glob("*.tflite")):
        answer = ctcov_here("predict", model, image_file, "--json")
        assert answer.returncode == 0, answer.stderr
        answers.append(json.loads(answer.stdout))
    first, *others = answers
    assert list(first["likelihoods"]) == LIKELIHOODS
    assert len(others) == 2
    for other in others:
        assert other["probability"] == pytest.approx(first["probability"], abs=1e-4)
        assert other["likelihoods"] == pytest.approx(first["likelihoods"], abs=1e-4)


def test_the_report_tells_of_the_parts(ctcov_here, fusion):
    answer = ctcov_here("evaluate", fusion)
    assert answer.returncode == 0, answer.stderr
    page = (fusion / "report.html").read_text()
    assert "cxr_part1_tiny" in page
    assert "cxr_part2_tiny" in page


def test_a_missing_part_says_what_makes_it(run, data, tmp_path):
    flags = ("--part1", tmp_path / "gone", "--run-dir", tmp_path / "run")
    answer = run("train.py", "deep_cxr_net_tiny", *data, "phantom/cxr_tiny", *SMALL, *flags)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: part1: {tmp_path / 'gone'}: no such run directory: train it with python")
    assert not (tmp_path / "run").exists()
