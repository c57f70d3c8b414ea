import dataclasses
import json

import pytest
from sklearn import metrics as sk

from ctcov_tf import cli, config, errors
from ctcov_tf.evaluation import elsewhere
from ctcov_tf.evaluation.predictions import predict_split


@pytest.fixture
def other(run):
    """The run's own dataset under a name that it was not trained on."""
    return dataclasses.replace(run.config.data, dataset="phantom/tiny:1.*.*")


def test_the_run_decides_by_its_own_threshold(run, other):
    run.calibration_file.write_text(json.dumps(json.loads(run.calibration_file.read_text()) | {"threshold": 0.7}))
    metrics = elsewhere.evaluate(run, other, reason="a look elsewhere")
    part = metrics["splits"]["test"]
    frame = predict_split(run, "test")
    assert part["threshold"] == 0.7
    assert part["metrics"]["auc"]["value"] == pytest.approx(sk.roc_auc_score(frame["target"], frame["probability"]))
    assert part["metrics"]["accuracy"]["value"] == pytest.approx(
        ((frame["probability"] >= 0.7) == frame["target"]).mean()
    )
    assert metrics["metadata_only"]["test"]["metrics"]["auc"]["value"] is not None
    assert metrics == json.loads(elsewhere.metrics_file(run, other).read_text())
    assert elsewhere.is_evaluated(run, other)
    (reading,) = map(json.loads, run.test_readings_file.read_text().splitlines())
    assert (reading["split"], reading["reason"]) == ("test", "a look elsewhere")
    text = elsewhere.table(metrics)
    assert f"{part['metrics']['auc']['value']:.3f}" in text
    assert "threshold 0.700, of the run's own validation part" in text


def test_the_positive_class_is_found_by_name(marked_runs, run, phantom_data_dir):
    """The other dataset may number its classes otherwise."""
    there = elsewhere._as_if_of(run, marked_runs["border"].config.data)
    assert there.labels.positive == run.labels.positive == "covid19"
    assert there.labels.class_names == marked_runs["border"].labels.class_names
    frame = elsewhere.predict(run, marked_runs["border"].config.data)
    names = [there.labels.class_names[label] for label in frame["label"]]
    assert frame["target"].tolist() == [int(name == "covid19") for name in names]


def test_a_dataset_without_the_positive_class_is_refused(run, phantom_data_dir):
    data = config.DataConfig("phantom/cxr_pneumonia_tiny", str(phantom_data_dir))
    with pytest.raises(errors.CtcovError, match="class 'covid19' is not in the dataset"):
        elsewhere.evaluate(run, data, reason="none")
    assert not run.test_readings_file.exists()


def test_several_classes_are_refused(run, other):
    run = dataclasses.replace(run, labels=dataclasses.replace(run.labels, head="three_class"))
    with pytest.raises(errors.CtcovError, match="its head is three_class: another dataset can only judge"):
        elsewhere.evaluate(run, other, reason="none")


def test_kept_predictions_are_read_again(run, other, monkeypatch):
    first = elsewhere.predict(run, other)
    monkeypatch.setattr(type(run), "load_model", lambda _: pytest.fail("predicted again"))
    assert elsewhere.predict(run, other)["probability"].tolist() == pytest.approx(first["probability"].tolist())
    assert not run.predictions_file("test").exists()


def test_the_command_looks_where_the_run_was_trained(run, other, capsys):
    with pytest.raises(SystemExit) as exited:
        cli.main(["evaluate", str(run.path), "--elsewhere", other.dataset])
    printed = capsys.readouterr()
    assert exited.value.code == 0, printed.err
    assert "trained on phantom/tiny:1.0.0, on phantom/tiny:1.0.0, positive covid19" in printed.out
    assert str(elsewhere.metrics_file(run, other)) in printed.out
