import dataclasses
import json
import shutil

import numpy as np
import pytest

from ctcov_tf import errors, files, predictor, run_directory
from ctcov_tf.calibration import gate, study_rule, temperature
from ctcov_tf.calibration.operating_points import Costs
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import calibrate, gate_features, protocols
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.model_info import ModelInfo

CHOSEN = {"threshold", "threshold_rule", "split", "images"}
FIELDS = CHOSEN | {"temperature", "operating_points", "conformal", "study", "gate", "model_sha256"}


@pytest.fixture(scope="module")
def calibrated(light_run, tmp_path_factory):
    """The light run, calibrated."""
    path = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(light_run.path, path, ignore=shutil.ignore_patterns("predictions", "figures"))
    run = run_directory.load(path)
    return run, calibrate.calibrate(run, costs=Costs(10, 1, 0.05))


def test_everything_is_written_and_comes_from_validation(calibrated):
    run, content = calibrated
    assert run.read_json(run.calibration_file, "") == json.loads(json.dumps(content))
    assert set(content) == FIELDS
    assert (content["split"], content["images"]) == ("validation", 24)
    assert [point["name"] for point in content["operating_points"]][-1] == "costs"
    assert not run.predictions_file("test").exists()
    assert not run.test_readings_file.exists()
    info = run.model_info()
    assert info.threshold == content["threshold"] == content["operating_points"][0]["threshold"]
    assert info.gate.reason == "not a chest CT as this model knows them"
    assert (info.gate.fitted_to, info.gate.validation) == (60, 24)
    assert set(info.conformal.quantiles) == {"covid19", "not covid19"}
    rule = study_rule.choose_study_rule(predict_split(run, "validation"))
    assert info.study == rule
    assert dataclasses.asdict(rule) == content["study"]
    assert ModelInfo.from_json(info.to_json(), "here") == info
    assert {name.name for name in run.path.iterdir()} >= {"calibration.json", "gate.npz"}


def test_the_temperature_is_that_of_the_validation_images(calibrated):
    run, content = calibrated
    frame = predict_split(run, "validation")
    targets = frame[["target"]].to_numpy()
    expected = temperature.fit(frame[["logit_covid19"]], targets, exclusive=False)
    assert content["temperature"] == pytest.approx(expected)


def test_the_gate_passes_validation_images_and_its_scores_are_kept(calibrated):
    run, _ = calibrated
    frame = predict_split(run, "validation")
    expected = gate.scores(run.load_gate(), gate_features.of_split(run, "validation", run.load_model()))
    np.testing.assert_allclose(frame["ood_score"], expected, rtol=1e-4)
    assert (frame["ood_score"] > 1).sum() == 1, "of 24 images 95 % and no fewer pass"


def test_features_of_a_split_are_those_of_its_images(calibrated):
    run, _ = calibrated
    from ctcov_tf.images import decode

    model = run.load_model()
    grey = [
        decode.decode_grey(one["image"], "") for one in contents.examples(run.config.data, "test").as_numpy_iterator()
    ]
    of_images = gate_features.of_images(run, grey, model, "test")
    for name, values in gate_features.of_split(run, "test", model).items():
        np.testing.assert_allclose(of_images[name], values, atol=1e-4)


def test_calibrating_again_gives_the_same(calibrated, tmp_path):
    run, content = calibrated
    shutil.copytree(run.path, tmp_path / "run")
    assert calibrate.calibrate(run_directory.load(tmp_path / "run"), costs=Costs(10, 1, 0.05)) == content


def test_an_evaluation_judges_all_images_and_counts_those_refused(calibrated, tmp_path):
    run, _ = calibrated
    shutil.copytree(run.path, tmp_path / "run")
    strict = run_directory.load(tmp_path / "run")
    arrays = strict.load_gate()
    for measure in arrays.measures.values():
        measure.whitening.__imul__(1.5)
    content = strict.read_json(strict.calibration_file, "")
    content["gate"]["sha256"] = arrays.save(strict.gate_file)
    files.write_json(strict.calibration_file, content)
    found = protocols.evaluate(strict, ["validation"], reason="test", explain=False)
    refused = found["gate"]["validation"]["refused"]
    assert 0 < refused <= 24
    assert found["splits"]["validation"]["images"] == 24
    assert any(f"would refuse {refused} of the 24 images of validation" in remark for remark in found["remarks"])
    assert f"would refuse {refused} of" in strict.report_file.read_text()


def test_a_run_calibrated_by_an_earlier_version_answers_as_before(light_run, image_files):
    """Its calibration.json knows a threshold only."""
    content = light_run.read_json(light_run.calibration_file, "")
    assert set(content) == CHOSEN
    info = light_run.model_info()
    assert (info.temperature, info.operating_points, info.conformal, info.gate) == (1.0, (), None, None)
    assert light_run.load_gate() is None
    answer = predictor.load(light_run.path).predict(image_files[0].read_bytes(), "a.png")
    assert (answer.in_distribution, answer.ood_score, answer.prediction_set) == (None, None, None)
    assert 0 < answer.probability < 1
    assert "ood_score" not in predict_split(light_run, "validation")


def test_a_gate_of_another_calibration_is_refused(calibrated, tmp_path):
    run, _ = calibrated
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / "gate.npz").write_bytes(b"another")
    with pytest.raises(errors.CtcovError, match=r"gate\.npz: not the gate .*: ctcov calibrate"):
        predictor.load(tmp_path / "run")
    (tmp_path / "run" / "gate.npz").unlink()
    with pytest.raises(errors.CtcovError, match=r"gate\.npz: missing: ctcov calibrate"):
        predictor.load(tmp_path / "run")


@pytest.mark.parametrize("name", ["part1", "part2"])
def test_other_heads(tiny_parts, tmp_path, name):
    """Findings, whose unknown targets play no part, and exclusive classes."""
    shutil.copytree(tiny_parts[name].path, tmp_path / "run", ignore=shutil.ignore_patterns("predictions"))
    run = run_directory.load(tmp_path / "run")
    content = calibrate.calibrate(run, coverage=0.8)
    frame = predict_split(run, "validation")
    targets = contents.targets(run.config.data, run.labels, frame)
    logits = frame[[f"logit_{output}" for output in run.labels.outputs]]
    assert content["temperature"] == temperature.fit(logits, targets, exclusive=run.labels.exclusive)
    expected = {"part1": {"pneumonia", "not pneumonia"}, "part2": {"pneumonia", "normal"}}[name]
    assert set(content["conformal"]["quantiles"]) == expected
    assert sum(content["conformal"]["images"].values()) == int((frame["target"] >= 0).sum()) == content["images"]
    assert run.model_info().gate.reason == "not a chest radiograph as this model knows them"


def test_the_table_names_all(calibrated):
    text = calibrate.table(calibrated[1])
    for word in ("threshold", "temperature", "youden", "costs", "coverage 90%", "input gate: fitted to 60"):
        assert word in text


def test_an_interrupted_write_leaves_the_old_calibration(calibrated, tmp_path, monkeypatch):
    run, content = calibrated
    shutil.copytree(run.path, tmp_path / "run")
    copy = run_directory.load(tmp_path / "run")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        calibrate.calibrate(copy, coverage=0.7)
    assert dataclasses.asdict(copy.model_info().conformal) == content["conformal"]
    assert copy.load_gate() is not None
