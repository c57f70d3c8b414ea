import json

import pytest

from ctcov_tf import errors, run_directory


def test_reads_what_was_written(tiny_run):
    loaded = run_directory.load(tiny_run.path)
    assert loaded == tiny_run
    assert loaded.model_info().threshold == 0.5
    assert loaded.load_model().output_shape == (None, 1)
    assert loaded.model_info().modality == "CT"
    assert loaded.model_info().study is None, "a run calibrated before there were rules for studies"


@pytest.fixture
def copied(tiny_run, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.json").write_text((tiny_run.path / "config.json").read_text())
    return path


def edit(path, change):
    content = json.loads((path / "config.json").read_text())
    change(content)
    (path / "config.json").write_text(json.dumps(content))


def test_missing_folder_names_the_command(tmp_path):
    with pytest.raises(errors.CtcovError, match=r"nowhere: no such run directory: train one with python train\.py"):
        run_directory.load(tmp_path / "nowhere")


def test_other_folder_is_refused(tmp_path):
    with pytest.raises(errors.CtcovError, match=r"config\.json: missing: this is no run directory"):
        run_directory.load(tmp_path)


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_other_version_is_refused(copied, version):
    edit(copied, lambda content: content.update(format=version))
    with pytest.raises(errors.CtcovError, match=f"format {version}, this version of ctcov reads 1"):
        run_directory.load(copied)


@pytest.mark.parametrize("key", ["preset", "config", "labels", "manifest", "versions"])
def test_missing_part_is_named(copied, key):
    edit(copied, lambda content: content.pop(key))
    with pytest.raises(errors.CtcovError, match=f"damaged .*{key}"):
        run_directory.load(copied)


def test_damaged_json_is_named(copied):
    (copied / "config.json").write_text('{"format": 1,')
    with pytest.raises(errors.CtcovError, match=r"config\.json: damaged"):
        run_directory.load(copied)


def test_unfinished_run_says_what_to_do(copied):
    run = run_directory.load(copied)
    with pytest.raises(errors.CtcovError, match=r"calibration\.json: missing: train it to its end"):
        run.model_info()
    with pytest.raises(errors.CtcovError, match=r"model\.keras: missing: finish the run"):
        run.load_model()


def test_damaged_model_is_named(copied):
    run = run_directory.load(copied)
    run.model_file.write_bytes(b"not a zip file")
    with pytest.raises(errors.CtcovError, match=r"model\.keras: cannot be read .*: train again"):
        run.load_model()


def test_readings_of_the_test_part_are_logged(copied):
    run = run_directory.load(copied)
    run.log_test_reading("test", "ctcov evaluate")
    run.log_test_reading("test", "figure")
    readings = [json.loads(line) for line in run.test_readings_file.read_text().splitlines()]
    assert [reading["reason"] for reading in readings] == ["ctcov evaluate", "figure"]
    assert readings[0]["dataset"] == run.manifest["name"]
