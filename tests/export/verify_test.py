import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ctcov_tf import RESEARCH_USE, errors, predictor, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.export import samples, verify

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
        low, high = row["auc_change_interval"]
        assert low <= row["auc_change"] <= high


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


def test_a_models_likelihoods_are_compared_where_it_has_them(result, tiny_fusion_run, tiny_fusion_exports, tmp_path):
    exact = {form: tiny_fusion_exports[form] for form in ("saved_model", "float32")}
    found = verify.verify(tiny_fusion_run, exact, tmp_path / "v.json", limit=4)
    for form, row in found["forms"].items():
        assert row["likelihood_difference"] <= (0 if form == "keras" else 1e-4)
    assert "| of a likelihood |" in verify.table(found)
    assert all(line.count("|") == 9 for line in verify.table(found).splitlines()[2:])
    assert not any("likelihood_difference" in row for row in result[0]["forms"].values())
    assert "likelihood" not in verify.table(result[0])


def test_other_likelihoods_are_caught(tiny_fusion_run, tiny_fusion_exports, tmp_path):
    """A part that differs from the exported one, though the answer does not depend on it."""
    shutil.copytree(tiny_fusion_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    model = run.load_model()
    kernel, bias = model.get_layer("part2_logits").get_weights()
    model.get_layer("part2_logits").set_weights([kernel, bias + np.array([2, -2])])
    model.save(run.model_file)
    with pytest.raises(errors.CtcovError, match=r"float32: a likelihood differs by .*, bound 1e-04"):
        verify.verify(run, {"float32": tiny_fusion_exports["float32"]}, tmp_path / "v.json", limit=4)


def test_parts_are_verified_on_their_own(part_run, part_exports, tmp_path):
    """All findings are compared; AUC is that of the positive one where it is known."""
    found = verify.verify(part_run, part_exports, tmp_path / "v.json")
    for row in found["forms"].values():
        assert row["score_difference"] <= 1e-4
        assert 0 <= row["auc"] <= 1
    data, labels = part_run.config.data, part_run.labels
    table = contents.metadata(data, "validation")
    targets = contents.targets(data, labels, table)[:, labels.positive_output]
    opened = predictor.load(part_run.path)
    scores = np.array(
        [opened.predict(one.data, one.image_id).probability for one in samples.draw(data, "validation", len(table))]
    )
    known = targets >= 0
    assert known.all() == (labels.head == "two_class")
    assert found["forms"]["keras"]["auc"] == pytest.approx(roc_auc_score(targets[known], scores[known]))


def test_another_network_than_the_exported_one_is_caught(exports, trained_run, tmp_path):
    """Exports of one network, verified against another: every bound that can break does."""
    shutil.copytree(trained_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    model = run.load_model()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([np.roll(kernel, 7, axis=0), bias + 0.5])
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
    change, (low, high) = rows["int8"]["auc_change"], rows["int8"]["auc_change_interval"]
    assert change == pytest.approx(rows["int8"]["auc"] - rows["keras"]["auc"])
    assert low < change < high
    assert rows["keras"]["auc_change_interval"] == [0, 0]
    assert f"| {change:+.4f} [{low:+.4f}, {high:+.4f}] |" in (tmp_path / "v.md").read_text()
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
    assert len(list(verify._faults("float32", row | {"likelihood_difference": float("nan")}, 10))) == 2
    assert np.isnan(
        verify._largest([({"a": 0.1}, {"a": 0.2}), ({"a": float("nan")}, {"a": 0.2}), ({"a": 1}, {"a": 0})])
    )
    assert len(list(verify._faults("int8", row, 50))) == 1
