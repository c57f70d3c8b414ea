"""TensorFlow Serving's REST form: a request's JSON to image files, predictions to an answer's JSON.

A request names its images in rows, `{"instances": [{"image_bytes": {"b64": "..."}}, ...]}`, or, since there is one
input only, `{"instances": [{"b64": "..."}, ...]}`; or in columns, `{"inputs": {"image_bytes": [{"b64": "..."}, ...]}}`.
The answer has the same form. What is refused, and in which words, follows its `json_tensor.cc`, without the repetition
of the request.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
import dataclasses
import json
from typing import Any

from ctcov_tf.model_info import Labels, ModelInfo
from ctcov_tf.predictor import Explanation, Prediction
from ctcov_tf.serving.settings import Limits

INPUT = "image_bytes"
SIGNATURE = "serving_default"
EXPLAIN = "explain"
METHOD = "tensorflow/serving/predict"
_OTHER_METHODS = {"classify": "classification", "regress": "regression"}
_FORM = '{"instances": [{"b64": "..."}]}'
_SHOWN = 100  # characters of a request that an error repeats


class Refusal(Exception):
    """A request that is not answered.

    Attributes:
      status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Request:
    """What a request asks for.

    Attributes:
      images: content of each image file, by its place in the request.
      columns: whether images, and so answers, stand in columns; else in rows.
      explain: whether the answers are to be explained: signature `explain`.
    """

    images: dict[str, bytes]
    columns: bool
    explain: bool = False


def read(body: bytes, signatures: Sequence[str] = (SIGNATURE,), limits: Limits = Limits()) -> Request:  # noqa: B008
    """Reads a request to predict.

    Args:
      body: its JSON.
      signatures: names of those that the model holds.
      limits: most images, and most values in the JSON.

    Raises:
      Refusal: it has not TensorFlow Serving's form, names another signature, or holds too much.
    """
    content = _parse(body, limits)
    name = content.get("signature_name", SIGNATURE)
    if not isinstance(name, str):
        raise Refusal(400, "JSON Value: not formatted correctly. 'signature_name' key must be a string value.")
    if (name or SIGNATURE) not in signatures:
        raise Refusal(400, f'Serving signature name: "{name[:_SHOWN]}" not found in signature def')
    if "instances" in content and "inputs" in content:
        raise Refusal(400, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    if "instances" in content:
        rows = _filled(content["instances"], "instances", limits)
        images = {f"instances[{n}]": _image(_only(row), f"instances[{n}]") for n, row in enumerate(rows)}
        return Request(images, columns=False, explain=name == EXPLAIN)
    if "inputs" in content:
        column = content["inputs"]
        if isinstance(column, dict):
            if INPUT not in column:
                raise Refusal(400, f"Missing named input: {INPUT} in 'inputs' object.")
            column = column[INPUT]
        items = _filled(column, "inputs", limits)
        images = {f"inputs[{n}]": _image(item, f"inputs[{n}]") for n, item in enumerate(items)}
        return Request(images, columns=True, explain=name == EXPLAIN)
    raise Refusal(400, "Missing 'inputs' or 'instances' key")


def other_method(call: str) -> Refusal:
    """What TensorFlow Serving answers to `classify` and `regress`, which no model here holds.

    Args:
      call: which of the two.
    """
    expected = f"Expected {_OTHER_METHODS[call]} signature method_name to be tensorflow/serving/{call}"
    return Refusal(400, f"{expected}. Was: {METHOD}")


def write(answers: Sequence[Prediction | Explanation], info: ModelInfo, *, columns: bool) -> dict[str, Any]:
    """The answer to a request.

    Args:
      answers: to each image, at least one.
      info: the record of the model that gave them.
      columns: the request's form.

    Returns:
      `predictions`, an object an image, or `outputs`, a list an output. The outputs are those of the SavedModel's
      signature, with null where that has no number, and `model`, its name; of a model with a gate `reason`, with
      operating points `operating_points`, the decision at each in the record's order, and with prediction sets
      `prediction_set` and `coverage`.
    """
    rows = [
        _outputs(answer.prediction, info) | _maps(answer, info)
        if isinstance(answer, Explanation)
        else _outputs(answer, info)
        for answer in answers
    ]
    return {"outputs": {name: [row[name] for row in rows] for name in rows[0]}} if columns else {"predictions": rows}


def explained(info: ModelInfo) -> dict[str, Any]:
    """`signature` of the one that explains: heat maps too, and of findings which of them each map is about.

    Args:
      info: the model's record.
    """
    maps: dict[str, Any] = {}
    for suffix, labels in _networks(info):
        maps[f"heatmap{suffix}"] = _tensor(f"heatmap{suffix}", "DT_FLOAT", -1, -1)
        if labels.head == "findings":
            maps[f"finding{suffix}"] = _tensor(f"finding{suffix}", "DT_STRING")
    plain = signature(info)
    return plain | {"outputs": plain["outputs"] | maps}


def signature(info: ModelInfo) -> dict[str, Any]:
    """What TensorFlow Serving would say of the signature, as a SignatureDef in JSON.

    Args:
      info: the model's record.
    """
    likelihoods = [name for part in info.parts for name in part.likelihoods]
    outputs = {name: _tensor(name, "DT_FLOAT") for name in ("probability", "threshold", *likelihoods)}
    outputs |= {name: _tensor(name, "DT_STRING") for name in ("label", "model")}
    outputs["probabilities"] = _tensor("probabilities", "DT_FLOAT", len(info.labels.outputs))
    if info.gate:
        outputs["in_distribution"] = _tensor("in_distribution", "DT_BOOL")
        outputs["ood_score"] = _tensor("ood_score", "DT_FLOAT")
        outputs["reason"] = _tensor("reason", "DT_STRING")
    if info.operating_points:
        outputs["operating_points"] = _tensor("operating_points", "DT_STRING", len(info.operating_points))
    if info.conformal:
        outputs["prediction_set"] = _tensor("prediction_set", "DT_STRING", -1)
        outputs["coverage"] = _tensor("coverage", "DT_FLOAT")
    return {
        "inputs": {INPUT: _tensor(INPUT, "DT_STRING")},
        "outputs": outputs,
        "method_name": METHOD,
    }


def _parse(body: bytes, limits: Limits) -> dict[str, Any]:
    if not body:
        raise Refusal(400, "JSON Parse error: The document is empty")
    if body.lstrip(b" \t\r\n")[:1] not in (b"{", b"["):
        raise Refusal(400, f"JSON Parse error: the body is no JSON: send {_FORM}, each image file in base64")
    if sum(map(body.count, (b"{", b"[", b","))) > limits.values:
        raise Refusal(413, f"JSON of more than {limits.values} values: send at most {limits.images} images at once")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"JSON Parse error: {error}") from error
    if not isinstance(content, dict):
        raise Refusal(400, "JSON Value: Is not object")
    return content


def _filled(items: Any, name: str, limits: Limits) -> list[Any]:
    if not isinstance(items, list):
        raise Refusal(400, f"Expecting '{name}' to be a list of images")
    if not items:
        raise Refusal(400, f"No values in '{name}' array")
    if len(items) > limits.images:
        raise Refusal(413, f"{len(items)} images in '{name}': send at most {limits.images} at once")
    return items


def _only(row: Any) -> Any:
    """The value of the one input, which a row may leave unnamed."""
    return row[INPUT] if isinstance(row, Mapping) and set(row) == {INPUT} else row


def _image(item: Any, name: str) -> bytes:
    if not isinstance(item, Mapping) or set(item) != {"b64"} or not isinstance(item["b64"], str):
        raise Refusal(400, f'{name}: no image: send {{"b64": "..."}}, the image file in base64')
    text = "".join(item["b64"].split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, f"{name}: Unable to base64 decode: {error}") from error


def _outputs(prediction: Prediction, info: ModelInfo) -> dict[str, Any]:
    outputs: dict[str, Any] = {
        "probability": prediction.probability,
        "label": prediction.label,
        "threshold": prediction.threshold,
        "probabilities": list(prediction.probabilities.values()),
        **prediction.likelihoods,
        "model": prediction.model,
    }
    if info.gate:
        outputs["in_distribution"] = prediction.in_distribution
        outputs["ood_score"] = prediction.ood_score
        outputs["reason"] = prediction.reason
    if info.operating_points:
        outputs["operating_points"] = list(prediction.operating_points.values()) or None
    if info.conformal:
        classes = prediction.prediction_set
        outputs["prediction_set"] = None if classes is None else list(classes)
        outputs["coverage"] = prediction.coverage
    return outputs


def _maps(explanation: Explanation, info: ModelInfo) -> dict[str, Any]:
    """Heat maps by name, and what they are about; null for an image that the gate refuses."""
    maps: list[Any] = list(explanation.heatmaps.items())
    found: dict[str, Any] = {}
    for index, (suffix, labels) in enumerate(_networks(info)):
        about, heatmap = maps[index] if maps else ("", None)
        found[f"heatmap{suffix}"] = None if heatmap is None else heatmap.tolist()
        if labels.head == "findings":
            found[f"finding{suffix}"] = about.removeprefix(f"{suffix[1:]}_") or None
    return found


def _networks(info: ModelInfo) -> list[tuple[str, Labels]]:
    """Every network that has a heat map: the suffix of its outputs' names, and what they mean."""
    return [("", info.labels), *((f"_{part.name}", part.labels) for part in info.parts)]


def _tensor(name: str, dtype: str, *sizes: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in (-1, *sizes)]
    return {"dtype": dtype, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}
