import base64
import json

import numpy as np
import pytest

from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.predictor import Explanation, Prediction
from ctcov_tf.serving import rest
from ctcov_tf.serving.settings import Limits
from tests.fixed_predictor import info


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def read(content):
    return rest.read(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ({"instances": [b64(b"one"), b64(b"two")]}, False),
        ({"instances": [{"image_bytes": b64(b"one")}, {"image_bytes": b64(b"two")}]}, False),
        ({"inputs": {"image_bytes": [b64(b"one"), b64(b"two")]}}, True),
        ({"inputs": [b64(b"one"), b64(b"two")]}, True),
        ({"signature_name": "serving_default", "instances": [b64(b"one"), b64(b"two")]}, False),
    ],
)
def test_images_are_read_in_rows_and_columns(content, columns):
    request = read(content)
    assert list(request.images.values()) == [b"one", b"two"]
    assert request.columns == columns


def test_images_are_called_by_their_place():
    assert list(read({"instances": [b64(b""), b64(b"")]}).images) == ["instances[0]", "instances[1]"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [b64(b"")], "inputs": [b64(b"")]}, "only one of 'inputs' or 'instances'"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": b64(b"")}, "Expecting 'instances' to be a list"),
        ({"instances": ["text"]}, r"instances\[0\]: no image"),
        ({"instances": [b64(b""), {"b64": 3}]}, r"instances\[1\]: no image"),
        ({"instances": [{"image_bytes": b64(b""), "age": 3}]}, r"instances\[0\]: no image"),
        ({"instances": [{"b64": "?"}]}, r"instances\[0\]: Unable to base64 decode"),
        ({"inputs": {"pixels": [b64(b"")]}}, "Missing named input: image_bytes"),
        ({"inputs": {"image_bytes": b64(b"")}}, "Expecting 'inputs' to be a list"),
        ({"signature_name": "pixels", "instances": [b64(b"")]}, '"pixels" not found in signature def'),
        ({"signature_name": "explain", "instances": [b64(b"")]}, '"explain" not found in signature def'),
        ({"signature_name": 3, "instances": [b64(b"")]}, "'signature_name' key must be a string value"),
    ],
)
def test_what_has_another_form_is_refused(content, message):
    with pytest.raises(rest.Refusal, match=message) as caught:
        read(content)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"1" * 5000])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(rest.Refusal, match="JSON Parse error"):
        rest.read(body)


def test_json_of_many_values_is_refused_before_it_becomes_objects():
    for body in (b"[" * 100_000, b"{" * 100_000, b"[" + b"0," * 100_000 + b"0]"):
        with pytest.raises(rest.Refusal, match="JSON of more than 356 values") as caught:
            rest.read(body)
        assert caught.value.status == 413


def test_the_most_images_that_are_allowed_are_not_too_many_values():
    limits = Limits(images=3)
    rows = {"signature_name": "", "instances": [{"image_bytes": b64(b"one")}] * 3}
    assert len(rest.read(json.dumps(rows, indent=1).encode(), limits=limits).images) == 3
    for content in ({"instances": [b64(b"one")] * 4}, {"inputs": [b64(b"one")] * 4}):
        with pytest.raises(rest.Refusal, match=r"4 images in '.*': send at most 3") as caught:
            rest.read(json.dumps(content).encode(), limits=limits)
        assert caught.value.status == 413


def test_base64_is_read_as_tensorflow_serving_reads_it():
    """`absl::Base64Unescape` skips white space and does without the padding."""
    text = base64.b64encode(b"four").decode()
    for given in (text, text.rstrip("="), f"{text[:3]}\n {text[3:]}\n"):
        assert read({"instances": [{"b64": given}]}).images == {"instances[0]": b"four"}


def test_further_inputs_beside_the_image_are_passed_over():
    request = read({"inputs": {"image_bytes": [b64(b"one")], "age": [61]}})
    assert request.images == {"inputs[0]": b"one"}


PARTS = (
    PartInfo("part1", "cxr_part1", Labels(("edema", "pneumonia"), "pneumonia", "findings"), "phantom/cxr", ""),
    PartInfo("part2", "cxr_part2", Labels(("pneumonia", "normal"), "pneumonia", "two_class"), "phantom/cxr", ""),
)


def test_answers_have_the_form_of_the_request():
    first = Prediction("a", 0.25, "normal", 0.5, {"normal": 0.75, "covid19": 0.25}, {"part1_edema": 0.125}, "net")
    second = Prediction("b", 0.5, "covid19", 0.5, {"normal": 0.5, "covid19": 0.5}, {"part1_edema": 0.25}, "net")
    of_two_classes = info("two_class")
    (row, _) = rest.write([first, second], of_two_classes, columns=False)["predictions"]
    assert row == {
        "probability": 0.25,
        "label": "normal",
        "threshold": 0.5,
        "probabilities": [0.75, 0.25],
        "part1_edema": 0.125,
        "model": "net",
    }
    columns = rest.write([first, second], of_two_classes, columns=True)["outputs"]
    assert columns["label"] == ["normal", "covid19"]
    assert columns["probabilities"] == [[0.75, 0.25], [0.5, 0.5]]
    assert list(columns) == list(row)


@pytest.mark.parametrize(
    ("record", "about", "findings"),
    [
        (info(), ["covid19"], {}),
        (info("findings", ("edema", "covid19")), ["edema"], {"finding": "edema"}),
        (info(parts=PARTS), ["covid19", "part1_edema", "part2_pneumonia"], {"finding_part1": "edema"}),
    ],
)
def test_explained_answers_name_their_maps_as_the_saved_model_does(record, about, findings):
    maps = [np.full((2, 3), n / 4, np.float32) for n in range(len(about))]
    prediction = Prediction("a", 0.25, "normal", 0.5, {"covid19": 0.25}, {}, "fixed")
    explanation = Explanation(prediction, np.zeros((4, 4, 3), np.uint8), dict(zip(about, maps, strict=True)))
    (row,) = rest.write([explanation], record, columns=False)["predictions"]
    names = ["heatmap", "heatmap_part1", "heatmap_part2"][: len(about)]
    assert {name: row[name] for name in names} == {
        name: found.tolist() for name, found in zip(names, maps, strict=True)
    }
    assert {name: row[name] for name in row if name.startswith("finding")} == findings
    described = rest.explained(record)["outputs"]
    assert set(row) == set(described) - {name for part in record.parts for name in part.likelihoods}
    assert [size["size"] for size in described["heatmap"]["tensor_shape"]["dim"]] == ["-1", "-1", "-1"]


@pytest.mark.parametrize("columns", [False, True])
def test_a_refused_image_has_no_heat_map(columns):
    record = info()
    reason = "not a chest CT"
    refused = Prediction("a", None, reason, 0.5, {}, {}, "net", in_distribution=False, reason=reason)
    explained = Explanation(refused, np.zeros((4, 4, 3), np.uint8), {})
    answer = rest.write([explained], record, columns=columns)
    assert (answer["outputs"]["heatmap"] if columns else [answer["predictions"][0]["heatmap"]]) == [None]
