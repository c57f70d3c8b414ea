import json
import shutil

import pytest

from ctcov_tf import RESEARCH_USE, errors, run_directory
from ctcov_tf.export import verify

EXACT = ("saved_model", "float32", "float16")  # 8 bits are too coarse for so small a network to promise anything


@pytest.fixture(scope="module")
def result(exports, trained_run, tmp_path_factory):
    record = tmp_path_factory.mktemp("verify") / "verify.json"
    exact = {form: exports[form] for form in EXACT}
    return verify.verify(trained_run, exact, record, limit=12), record


def test_every_form_is_in_the_record(result):
    rows = result[0]["forms"]
    assert set(rows) == {"keras", "saved_model pixels", *EXACT}
    assert result[0]["images"] == 12
    for form, row in rows.items():
        assert row["megabytes"] > 0.05
        assert row["latency_ms"] > 0
        assert row["score_difference"] <= (0 if form == "keras" else 1e-2)


def test_the_reduced_forms_are_measured_not_assumed(result):
    rows = result[0]["forms"]
    assert rows["float16"]["score_difference"] > 0
    assert rows["float16"]["megabytes"] < rows["float32"]["megabytes"]


def test_record_and_table_are_written(result):
    content, record = result
    assert json.loads(record.read_text()) == json.loads(json.dumps(content))
    text = record.with_suffix(".md").read_text()
    assert text.count("\n| ") == 2 + len(content["forms"])
    assert RESEARCH_USE in text


def test_another_network_than_the_exported_one_is_caught(exports, trained_run, tmp_path):
    """Exports of one network, verified against another: every bound that can break does."""
    shutil.copytree(trained_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    model = run.load_model()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([-kernel, bias + 0.5])
    model.save(run.model_file)
    with pytest.raises(errors.CtcovError) as caught:
        verify.verify(run, {form: exports[form] for form in ("saved_model", "float16", "int8")}, tmp_path / "v.json")
    message = str(caught.value)
    assert "saved_model: a score differs by" in message
    assert "saved_model pixels: a score differs by" in message
    assert "float16: a score differs by" in message
    assert "int8: AUC" not in message  # it rose
    assert "decisions flip, bound 10%" in message
    assert "\n" not in message
    rows = json.loads((tmp_path / "v.json").read_text())["forms"]
    assert rows["int8"]["auc_change"] == pytest.approx(rows["int8"]["auc"] - rows["keras"]["auc"])
    assert len(rows["int8"]["flipped"]) > 1


def test_bounds_by_auc_and_by_flips():
    row = {"score_difference": 0.5, "auc_change": -0.029, "flipped": ["a", "b"]}
    assert not list(verify._faults("int8", row, 50))
    assert not list(verify._faults("int8", row | {"auc_change": -0.04}, 49))
    assert list(verify._faults("int8", row | {"auc_change": -0.04}, 50)) == ["int8: AUC changes by -0.040, bound -0.03"]
    flipped = row | {"flipped": ["a", "b", "c"]}
    assert list(verify._faults("int8", flipped, 29)) == ["int8: 3 of 29 decisions flip, bound 10%"]
    assert not list(verify._faults("int8", flipped, 30))


def test_a_score_that_is_no_number_fails():
    row = {"score_difference": float("nan"), "auc_change": float("nan"), "flipped": []}
    assert len(list(verify._faults("float32", row, 10))) == 1
    assert len(list(verify._faults("int8", row, 50))) == 1
