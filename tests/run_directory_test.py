import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

from ctcov_tf import errors, files, run_directory


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


def test_a_newer_version_says_what_to_do(copied):
    edit(copied, lambda content: content.update(format=run_directory.FORMAT + 1))
    with pytest.raises(errors.CtcovError, match=r"config\.json: format 2, .* reads 1: update ctcov$"):
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


@pytest.fixture
def whole(tiny_run, tmp_path):
    """A copy whose calibration knows its model."""
    shutil.copytree(tiny_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    calibration = json.loads(run.calibration_file.read_text())
    calibration[run_directory.MODEL_SHA256] = files.sha256(run.model_file)
    files.write_json(run.calibration_file, calibration)
    run.load_model()
    return run


def fails_with_one_line(run_command, path, *what):
    answer = run_command("-c", "from ctcov_tf.cli import main; main()", "calibrate", path)
    assert answer.returncode == errors.EXIT_USER_ERROR
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert all(part in line for part in what)


def test_a_tampered_model_is_refused(whole, run_command):
    model = whole.load_model()
    model.weights[0].assign(model.weights[0] + 1)
    model.save(whole.model_file)
    with pytest.raises(
        errors.CtcovError, match=r"model\.keras: not the model that calibration\.json tells of: put back"
    ):
        whole.load_model()
    fails_with_one_line(run_command, whole.path, "model.keras", "not the model")


def with_lambda(path: pathlib.Path, secret: pathlib.Path) -> None:
    image = keras.Input((64, 64, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    answer = keras.layers.Lambda(lambda x, secret=str(secret): open(secret, "w").close() or x[:, :1])
    keras.Model(image, answer(pooled)).save(path)


def test_a_model_with_code_in_it_is_refused_and_the_code_is_not_run(copied):
    run = run_directory.load(copied)
    with_lambda(run.model_file, copied / "secret")
    (copied / "secret").unlink()
    with pytest.raises(errors.CtcovError, match=r"model\.keras: cannot be read \(.*safe_mode") as caught:
        run.load_model()
    assert "\n" not in str(caught.value)
    assert not (copied / "secret").exists()


def test_a_gate_of_objects_is_refused(whole):
    np.savez(whole.gate_file, **{"texture.mean": np.array([print], dtype=object), "texture.whitening": np.eye(1)})
    calibration = json.loads(whole.calibration_file.read_text())
    calibration["gate"] = {
        "reason": "",
        "level": 0.99,
        "fitted_to": 1,
        "validation": 1,
        "limit": 1.0,
        "measures": {"texture": 1},
        "sha256": files.sha256(whole.gate_file),
    }
    files.write_json(whole.calibration_file, calibration)
    with pytest.raises(errors.CtcovError, match=r"gate\.npz: damaged \(.*allow_pickle=False"):
        whole.load_gate()


NONSENSE = [None, 3, -1.5, "x", [], [[]], {}, {"a": 1}, True]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=map(str, range(len(NONSENSE))))
def test_nonsense_anywhere_in_the_record_is_a_clear_error(copied, nonsense):
    good = json.loads((copied / "config.json").read_text())
    places = [(key,) for key in good if key != "versions"]
    places += [(key, inner) for key in ("config", "labels") for inner in good[key]] + [("manifest", "name")]
    for *path, last in places:
        content = json.loads(json.dumps(good))
        holder = content
        for key in path:
            holder = holder[key]
        if holder[last] == nonsense:
            continue
        holder[last] = nonsense
        (copied / "config.json").write_text(json.dumps(content))
        found = load_or_error(copied)
        assert isinstance(found, run_directory.RunDirectory) or "config.json" in found, (path, last)


def load_or_error(path):
    try:
        return run_directory.load(path)
    except errors.CtcovError as error:
        return str(error)


@pytest.mark.parametrize("text", ["", "[]", "3", "\x00", "[" * 100_000, '"format"'])
def test_a_record_that_is_none_is_a_clear_error(copied, text, run_command):
    (copied / "config.json").write_text(text)
    with pytest.raises(errors.CtcovError, match=r"config\.json: (damaged|format None)"):
        run_directory.load(copied)


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"threshold": "x", "threshold_rule": ""}', "["])
def test_a_calibration_that_is_none_is_a_clear_error(whole, text):
    whole.calibration_file.write_text(text)
    with pytest.raises(errors.CtcovError, match=r"calibration\.json: damaged"):
        whole.model_info()
    if text in ("[]", "3"):
        with pytest.raises(errors.CtcovError, match=r"calibration\.json: damaged"):
            whole.load_calibrated_model()
