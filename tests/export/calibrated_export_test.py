"""What is fitted after training, inside every form: temperature, operating points, prediction sets, input gate."""

import asyncio
import json
import shutil
import warnings

from ai_edge_litert.interpreter import Interpreter
import cv2
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import files, predict, predictor, run_directory
from ctcov_tf.edge.runner import EdgeModel
from ctcov_tf.evaluation import calibrate
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.export import samples, saved_model, tflite, verify
from ctcov_tf.images import decode
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.serving import rest
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.served_model import ServedModel
from ctcov_tf.serving.settings import Settings
from tests.serving.rest_test import b64

SIGNATURES = ("serving_default", "pixels", "pixels_float", "explain")
REASON = "not a chest CT as this model knows them"


@pytest.fixture(scope="module")
def run(trained_run, tmp_path_factory):
    """The trained run, calibrated; its temperature made plain."""
    path = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(trained_run.path, path)
    run = run_directory.load(path)
    calibrate.calibrate(run)
    content = run.read_json(run.calibration_file, "")
    files.write_json(run.calibration_file, content | {"temperature": 2.5})
    return run


@pytest.fixture(scope="module")
def exports(run, tmp_path_factory):
    directory = tmp_path_factory.mktemp("calibrated_exports")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "this processor has no bfloat16")
        saved = {form: saved_model.export_saved_model(run, directory, form=form) for form in saved_model.FORMS}
    return saved | tflite.export_tflite(run, directory)


@pytest.fixture(scope="module")
def opened(run, exports):
    return {form: predictor.load(path) for form, path in ({"run": run.path} | exports).items()}


@pytest.fixture(scope="module")
def known(run):
    return samples.draw(run.config.data, "validation", 8)


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """File of an image that is no chest CT."""
    image = np.tile(np.repeat([0, 255], 12).astype(np.uint8), (90, 5))
    path = tmp_path_factory.mktemp("stripes") / "stripes.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def test_the_record_travels(run, opened):
    expected = run.model_info()
    assert [point.name for point in expected.operating_points] == ["youden", "sensitivity_0.95", "specificity_0.95"]
    assert (expected.temperature, expected.gate.reason, expected.conformal.coverage) == (2.5, REASON, 0.9)
    for form, model in opened.items():
        assert model.info == expected, form


@pytest.mark.parametrize(
    ("form", "tolerance"),
    [("run", 1e-5), ("saved_model", 1e-4), ("float32", 1e-4), ("float16", 1e-2), ("dynamic_int8", 0.1), ("int8", 0.2)],
)
def test_probabilities_are_those_after_the_temperature(run, opened, known, form, tolerance):
    table = predict_split(run, "validation").set_index("image_id")
    assert np.abs(table["probability"] - table["uncalibrated"]).max() > 0.05
    answers = [opened[form].predict(one.data, one.image_id) for one in known]
    answered = [one for one in answers if one.reason is None]
    assert len(answered) >= 6
    for one in answered:
        assert one.probability == pytest.approx(table.loc[one.name, "probability"], abs=tolerance)


@pytest.mark.parametrize(
    ("form", "tolerance"),
    [
        ("saved_model", 1e-3),
        ("saved_model_bfloat16", 5e-2),
        ("float32", 1e-3),
        ("float16", 2e-2),
        ("dynamic_int8", 0.1),
        ("int8", 1e-3),
    ],
)
def test_the_gate_scores_alike_in_every_form(opened, known, stripes, form, tolerance):
    """As a share of the score; `int8` leaves in float all that the gate looks at."""
    for data in (*(one.data for one in known), stripes.read_bytes()):
        expected, found = (opened[name].predict(data, "image") for name in ("run", form))
        assert found.ood_score == pytest.approx(expected.ood_score, rel=tolerance)
        assert found.in_distribution == (found.ood_score <= 1)
        if abs(expected.ood_score - 1) > tolerance:
            assert found.in_distribution == expected.in_distribution


def test_a_refused_image_has_a_reason_and_no_number(opened, stripes):
    for form, model in opened.items():
        answer = model.predict(stripes.read_bytes(), "stripes.png")
        assert (answer.in_distribution, answer.reason, answer.label) == (False, REASON, REASON), form
        assert (answer.probability, answer.probabilities) == (None, {"covid19": None}), form
        assert (answer.operating_points, answer.prediction_set) == ({}, None)
        assert answer.ood_score > 1


def test_an_answered_image_has_decisions_and_a_set(run, opened, known):
    info, labels = run.model_info(), run.labels
    for one in known:
        answer = opened["float32"].predict(one.data, one.image_id)
        if answer.reason is None:
            assert answer.operating_points["youden"] == answer.label
            for point in info.operating_points:
                positive = answer.probability >= np.float32(point.threshold)
                assert answer.operating_points[point.name] == (labels.positive if positive else labels.negative)
            expected = {labels.positive: 1 - answer.probability, labels.negative: answer.probability}
            assert set(answer.prediction_set) == {
                name for name, score in expected.items() if score <= info.conformal.quantiles[name]
            }


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_signature_refuses(exports, known, stripes, signature):
    served = tf.saved_model.load(exports["saved_model"]).signatures[signature]
    data = [known[0].data, stripes.read_bytes()]
    for one, passes in zip(data, (True, False), strict=True):
        if signature in ("serving_default", "explain"):
            answer = served(image_bytes=tf.constant([one]))
        else:
            pixels = decode.decode_rgb(one, "image")[np.newaxis]
            answer = served(images=tf.constant(pixels if signature == "pixels" else pixels.astype(np.float32)))
        assert answer["in_distribution"].dtype == tf.bool
        assert answer["ood_score"].dtype == tf.float32
        assert answer["in_distribution"].numpy().tolist() == [passes]
        assert np.isnan(answer["probability"][0]) == np.isnan(answer["probabilities"][0, 0]) == (not passes)
        assert (answer["label"].numpy()[0].decode() == REASON) == (not passes)
        if signature == "explain" and not passes:
            assert not answer["heatmap"].numpy().any()


@pytest.mark.parametrize("form", tflite.FORMS)
def test_every_tflite_file_refuses_with_built_in_operators(exports, stripes, form):
    answer = EdgeModel(exports[form])(decode.decode_rgb(stripes.read_bytes(), "stripes"))
    assert answer["in_distribution"].dtype == bool
    assert not answer["in_distribution"][0]
    assert np.isnan(answer["probability"][0])
    assert np.isnan(answer["probabilities"][0, 0])
    assert answer["ood_score"].dtype == np.float32
    assert ("heatmap" in answer) == (form in tflite.EXPLAINED_FORMS)
    assert not np.any(answer.get("heatmap", 0))
    operators = {operator["op_name"] for operator in Interpreter(model_path=str(exports[form]))._get_ops_details()}
    assert not [name for name in operators if name.startswith(("Flex", "CUSTOM"))]


@pytest.mark.parametrize("form", ["dynamic_int8", "int8"])
def test_the_gate_and_the_temperature_stay_in_float(exports, form):
    interpreter = Interpreter(model_path=str(exports[form]))
    details = {one["name"]: one["dtype"] for one in interpreter.get_tensor_details() if one["name"]}
    of_gate = {name: dtype for name, dtype in details.items() if "/gate/" in name or name.startswith("gate/")}
    assert of_gate
    assert np.int8 not in of_gate.values()


def test_weights_of_the_gate_are_stored_once(run, exports):
    names = tf.train.list_variables(str(exports["saved_model"] / "variables" / "variables"))
    stored = len([name for name, shape in names if shape])
    weights = len([one for one in inference_network(run.load_model()).weights if one.shape])
    assert stored == weights + 2 * len(run.load_gate().measures)


def test_predict_prints_the_reason(exports, known, stripes, tmp_path, capsys):
    (tmp_path / "slice.png").write_bytes(known[0].data)
    images = [tmp_path / "slice.png", stripes]
    assert predict.predict_command(exports["float32"], images) == 0
    heading, answered, refused, *foot = capsys.readouterr().out.splitlines()
    assert heading.split()[-3:] == ["set", "at", "90%"]
    assert "covid19" in answered or "normal" in answered
    assert refused.split(maxsplit=3)[1:] == ["-", "-", REASON]
    assert "no decision at a coverage of 90%" in "\n".join(foot)


def test_json_has_null_and_the_reason_and_no_heat_map_is_drawn(exports, known, stripes, tmp_path, capsys):
    (tmp_path / "slice.png").write_bytes(known[0].data)
    out = tmp_path / "maps"
    images = [tmp_path / "slice.png", stripes]
    assert predict.predict_command(exports["saved_model"], images, as_json=True, heatmap=out) == 0
    text = capsys.readouterr().out
    assert "NaN" not in text
    answered, refused = map(json.loads, text.splitlines())
    assert (answered["reason"], answered["in_distribution"]) == (None, True)
    assert set(answered["operating_points"]) == {"youden", "sensitivity_0.95", "specificity_0.95"}
    assert isinstance(answered["prediction_set"], list)
    assert (refused["probability"], refused["reason"], refused["in_distribution"]) == (None, REASON, False)
    assert (refused["heatmap"], refused["explained"]) == (None, [])
    assert [path.name for path in out.iterdir()] == ["slice.png"]


@pytest.mark.parametrize("form", ["float32", "saved_model"])
def test_the_server_answers_with_null_and_the_reason(opened, known, stripes, form):
    model = ServedModel([opened[form]], 1, Settings(), Metrics())
    rows = [b64(known[0].data), b64(stripes.read_bytes())]
    answered, refused = asyncio.run(model.predict(json.dumps({"instances": rows}).encode()))["predictions"]
    assert set(answered) == set(refused) == set(rest.signature(opened[form].info)["outputs"])
    assert (answered["in_distribution"], answered["reason"]) == (True, None)
    assert len(answered["operating_points"]) == 3
    assert (refused["probability"], refused["probabilities"], refused["label"]) == (None, [None], REASON)
    assert (refused["prediction_set"], refused["operating_points"], refused["coverage"]) == (None, None, 0.9)
    columns = asyncio.run(model.predict(json.dumps({"inputs": {"image_bytes": rows}}).encode()))["outputs"]
    model.close()
    assert columns["reason"] == [None, REASON]
    json.dumps([answered, refused, columns], allow_nan=False)


def test_verification_compares_the_gate(run, exports, tmp_path):
    exact = {form: exports[form] for form in ("saved_model", "float32")}
    found = verify.verify(run, exact, tmp_path / "v.json", limit=12)
    for row in found["forms"].values():
        assert row["refused"] == found["forms"]["keras"]["refused"]
        assert (row["gate_flipped"], row["flipped"]) == ([], [])
        assert row["ood_difference"] < 1e-3
    text = verify.table(found)
    assert "| refused (otherwise) | gate score difference |" in text
    assert len({line.count("|") for line in text.splitlines()[2:]}) == 1


def test_a_gate_that_refuses_otherwise_is_found(run, exports, tmp_path):
    """The run's gate made ten times as strict after the export."""
    shutil.copytree(run.path, tmp_path / "run")
    other = run_directory.load(tmp_path / "run")
    arrays = other.load_gate()
    for measure in arrays.measures.values():
        measure.whitening.__imul__(10)
    content = other.read_json(other.calibration_file, "")
    content["gate"]["sha256"] = arrays.save(other.gate_file)
    files.write_json(other.calibration_file, content)
    with pytest.raises(verify.errors.CtcovError, match=r"float32: a gate score differs by"):
        verify.verify(other, {"float32": exports["float32"]}, tmp_path / "v.json", limit=6)
    row = json.loads((tmp_path / "v.json").read_text())["forms"]
    assert row["keras"]["refused"] == 6
    assert len(row["float32"]["gate_flipped"]) >= 5
    assert set(row["float32"]["gate_flipped"]) == set(row["float32"]["flipped"])
