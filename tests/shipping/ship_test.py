import dataclasses
import io
import json
import re
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from ctcov_tf import errors, predictor, run_directory, shipped
from ctcov_tf.card import write as card_lib
from ctcov_tf.edge import runner
from ctcov_tf.evaluation import examples
from ctcov_tf.export import saved_model, tflite, verify
from ctcov_tf.run_directory import MODEL_SHA256
from ctcov_tf.shipping import half_precision, ship
from ctcov_tf.training import starting_weights


@pytest.fixture
def copy(finished_run, tmp_path):
    """The finished run, to be spoilt."""
    shutil.copytree(finished_run.path, tmp_path / "run")
    return run_directory.load(tmp_path / "run")


def refused(run, out, words):
    with pytest.raises(errors.CtcovError, match=words):
        ship.ship(run, out)
    assert not out.exists()
    assert list(out.parent.glob(f".{out.name}*")) == []


def test_every_file_is_in_the_manifest(small_model):
    there = {path.relative_to(small_model.path).as_posix() for path in small_model.path.rglob("*") if path.is_file()}
    assert there == {*small_model.content["files"], shipped.MANIFEST}
    small_model.check()
    for name in "model.keras", "gate.npz", "metrics.json", "model_info.json", "card/model_card.html", "USE.md":
        assert name in there


def test_the_manifest_has_the_figures_of_the_evaluation(small_model, finished_run):
    metrics = json.loads(finished_run.metrics_file.read_text())
    assert small_model.figures["auc"] == metrics["splits"]["test"]["metrics"]["auc"]
    assert small_model.figures["file_facts_auc"] == metrics["metadata_only"]["test"]["metrics"]["auc"]
    assert (small_model.name, small_model.version, small_model.modality) == ("tiny-20260131", 20260131, "CT")


def test_large_kernels_are_half_precision_and_load_as_float32(small_model):
    with zipfile.ZipFile(small_model.path / "model.keras") as archive:
        weights = h5py.File(io.BytesIO(archive.read(half_precision.WEIGHTS)))
    kernels = []
    weights.visititems(lambda _, one: kernels.append(one) if isinstance(one, h5py.Dataset) and one.ndim > 1 else None)
    by_type = {str(one.dtype): one.size >= half_precision.SMALL for one in kernels}
    assert by_type == {"float16": True, "float32": False}
    assert all((one.dtype == np.float16) == (one.size >= half_precision.SMALL) for one in kernels)
    assert {weight.dtype for weight in run_directory.load(small_model.path).load_model().weights} == {"float32"}


def test_rounding_hardly_moves_an_answer(small_model, finished_run):
    data = (small_model.path / "phantom0.png").read_bytes()
    before, after = (
        predictor.RunPredictor(path).predict(data, "image") for path in (finished_run.path, small_model.path)
    )
    assert after.ood_score == pytest.approx(before.ood_score, rel=3e-2)
    assert small_model.content["rounding"]["score_difference"] < verify.BOUNDS[ship.ROUNDED].score_difference


def test_all_forms_answer_as_was_recorded(small_model):
    for one in small_model.content["phantoms"]:
        assert set(one["answers"]) == {"keras", "float32", "int8"}
        exact, edge = (one["answers"][form] for form in ("keras", "float32"))
        assert edge["ood_score"] == pytest.approx(exact["ood_score"], rel=1e-3)


def test_no_place_of_this_machine_is_told(small_model, finished_run):
    run = run_directory.load(small_model.path)
    assert run.config.data.data_dir is None
    places = {str(finished_run.path), finished_run.config.data.data_dir}
    for path in small_model.path.rglob("*"):
        if path.suffix in (".json", ".md", ".html", ".jsonl", ".csv"):
            assert not [place for place in places if place in path.read_text()], path


def test_the_card_is_inside_the_tflite_file(small_model):
    card = (small_model.path / "card" / "model_card.md").read_text()
    assert runner.EdgeModel(small_model.answering_file).card == card
    assert "int8" in card


def test_the_folder_answers_explains_and_exports_as_a_run(small_model, tmp_path):
    opened = predictor.load(small_model.path)
    assert isinstance(opened, predictor.ShippedPredictor)
    assert not predictor.needs_tensorflow(small_model.path)
    run = run_directory.load(small_model.path)
    phantom = small_model.path / "phantom0.png"
    (record,) = examples.explain_images(run, [phantom], tmp_path / "maps")
    answer = opened.predict(phantom.read_bytes(), "phantom")
    assert (record["probability"] is None) == (answer.probability is None)
    exported = predictor.load(saved_model.export_saved_model(run, tmp_path / "exports"))
    assert exported.predict(phantom.read_bytes(), "phantom").ood_score == pytest.approx(answer.ood_score, rel=1e-3)
    explanation = opened.explain(phantom.read_bytes(), "phantom")
    assert explanation.prediction.ood_score == pytest.approx(answer.ood_score, rel=1e-3)
    facts, _ = card_lib.write(run, tmp_path / "card")
    assert facts["run"]["name"] == "tiny-20260131"


def test_training_starts_from_the_folder(small_model):
    run = run_directory.load(small_model.path)
    train = dataclasses.replace(run.config.train, init_from=str(small_model.path))
    origin = starting_weights.record(dataclasses.replace(run.config, train=train), 1)
    assert origin["sha256"] == small_model.content["files"]["model.keras"]["sha256"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("metrics.json", "metrics.json: missing: ctcov evaluate"),
        ("calibration.json", "calibration.json: missing"),
        ("card/model_card.md", "no model card: ctcov card"),
    ],
)
def test_a_run_that_is_not_ready_is_refused(copy, tmp_path, missing, words):
    (copy.path / missing).unlink()
    refused(copy, tmp_path / "tiny-20260131", words)


def test_a_run_judged_on_validation_alone_is_refused(copy, tmp_path):
    metrics = json.loads(copy.metrics_file.read_text())
    del metrics["splits"]["test"]
    copy.metrics_file.write_text(json.dumps(metrics))
    refused(copy, tmp_path / "tiny-20260131", "no figures of the test part: ctcov evaluate")


def test_figures_of_another_network_are_refused(copy, tmp_path):
    metrics = json.loads(copy.metrics_file.read_text())
    metrics["threshold"][MODEL_SHA256] = "0" * 64
    copy.metrics_file.write_text(json.dumps(metrics))
    refused(copy, tmp_path / "tiny-20260131", "of another model.keras: ctcov evaluate")


@pytest.mark.parametrize("name", ["tiny", "tiny-2026", "tiny-20261301", "a tiny-20260131"])
def test_a_name_needs_a_date(finished_run, tmp_path, name):
    refused(finished_run, tmp_path / name, "no name with a date")


def test_no_file_tells_where_the_run_was(copy, tmp_path):
    teacher = dataclasses.replace(
        copy.config.train, init_from=str(tmp_path / "first"), teachers=(str(tmp_path / "teacher"),)
    )
    dataclasses.replace(copy, config=dataclasses.replace(copy.config, train=teacher)).save()
    made = ship.ship(run_directory.load(copy.path), tmp_path / "tiny-20260131", forms=("float32",), limit=4)
    telling = [
        path.name for path in made.path.rglob("*") if path.is_file() and str(tmp_path).encode() in path.read_bytes()
    ]
    assert telling == []
    assert '"teacher"' in (made.path / "card" / "card.json").read_text()


def test_a_folder_that_is_there_stays(finished_run, small_model):
    with pytest.raises(errors.CtcovError, match="exists"):
        ship.ship(finished_run, small_model.path)
    small_model.check()


def test_rounding_above_the_bound_is_refused_and_leaves_nothing(finished_run, tmp_path, monkeypatch):
    monkeypatch.setitem(verify.BOUNDS, ship.ROUNDED, verify.Bound(score_difference=0.0))
    refused(finished_run, tmp_path / "tiny-20260131", "keras_float16: a score differs by")


@pytest.mark.parametrize(
    ("form", "found", "words"),
    [
        (ship.ROUNDED, {"flipped": ["a"] * 3}, "keras_float16: 3 of 24 decisions flip, bound 2%"),
        ("float32", {"score_difference": 2e-4}, "float32: a score differs by 2.0e-04, bound 1e-04"),
        ("float32", {"ood_difference": 0.01}, "float32: a gate score differs by 1.0e-02, bound 5e-03"),
        ("int8", {"flipped": ["a", "b", "c"]}, "int8: 3 of 24 decisions flip, bound 10%"),
    ],
)
def test_a_form_that_answers_otherwise_is_refused_and_leaves_nothing(
    finished_run, tmp_path, monkeypatch, form, found, words
):
    """By constructed scores: what 8 bits do to one tiny network says nothing of the next."""
    same = {"file": "", "score_difference": 0.0, "ood_difference": 0.0, "auc_change": 0.0, "flipped": []}

    def compare(run, forms, *, limit):
        rows = {name: same | (found if name == form else {}) for name in forms}
        return {"dataset": "", "split": "validation", "images": 24, "forms": rows}

    monkeypatch.setattr(verify, "compare", compare)
    monkeypatch.setattr(tflite, "export_tflite", lambda run, folder, forms, date: dict.fromkeys(forms, folder / "x"))
    refused(finished_run, tmp_path / "tiny-20260131", re.escape(words))


def test_a_file_above_its_size_is_refused(small_model, monkeypatch):
    monkeypatch.setitem(ship.LIMITS, "model.keras", 0.01)
    run = run_directory.load(small_model.path)
    with pytest.raises(errors.CtcovError, match=re.escape("a shipped one has at most 0 MB")):
        ship._check_sizes(run, {})


def test_a_changed_calibration_is_not_opened(small_model, tmp_path):
    folder = tmp_path / small_model.name
    shutil.copytree(small_model.path, folder)
    (folder / "calibration.json").write_text("{}")
    with pytest.raises(errors.CtcovError, match="not the file that was shipped"):
        run_directory.load(folder)
