import base64
import json

import pytest

from ctcov_tf.predictor import Prediction
from ctcov_tf.serving import rest
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
        ([], "is not an object"),
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
    ],
)
def test_what_has_another_form_is_refused(content, message):
    with pytest.raises(rest.Refusal, match=message) as caught:
        read(content)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(rest.Refusal, match="JSON Parse error"):
        rest.read(body)


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
