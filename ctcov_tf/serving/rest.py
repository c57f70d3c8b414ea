"""TensorFlow Serving's REST form: a request's JSON to image files, predictions to an answer's JSON.

A request names its images in rows, `{"instances": [{"image_bytes": {"b64": "..."}}, ...]}`, or, since there is one
input only, `{"instances": [{"b64": "..."}, ...]}`; or in columns, `{"inputs": {"image_bytes": [{"b64": "..."}, ...]}}`.
The answer has the same form.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
import dataclasses
import json
from typing import Any

from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Prediction

INPUT = "image_bytes"
SIGNATURE = "serving_default"


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
    """

    images: dict[str, bytes]
    columns: bool


def read(body: bytes) -> Request:
    """Reads a request to predict.

    Args:
      body: its JSON.

    Raises:
      Refusal: it has not TensorFlow Serving's form, or names another signature.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"JSON Parse error: {error}") from error
    if not isinstance(content, dict):
        raise Refusal(400, "JSON Value: is not an object")
    signature = content.get("signature_name", SIGNATURE)
    if signature not in (SIGNATURE, ""):
        raise Refusal(400, f'Serving signature name: "{signature}" not found in signature def')
    if "instances" in content and "inputs" in content:
        raise Refusal(400, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    if "instances" in content:
        rows = _filled(content["instances"], "instances")
        return Request({f"instances[{n}]": _image(_only(row), f"instances[{n}]") for n, row in enumerate(rows)}, False)
    if "inputs" in content:
        column = content["inputs"]
        if isinstance(column, dict):
            if set(column) != {INPUT}:
                raise Refusal(400, f"Missing named input: {INPUT} in 'inputs' object, or another beside it")
            column = column[INPUT]
        items = _filled(column, "inputs")
        return Request({f"inputs[{n}]": _image(item, f"inputs[{n}]") for n, item in enumerate(items)}, True)
    raise Refusal(400, "Missing 'inputs' or 'instances' key")


def write(predictions: Sequence[Prediction], info: ModelInfo, *, columns: bool) -> dict[str, Any]:
    """The answer to a request.

    Args:
      predictions: of each image, at least one.
      info: the model's record.
      columns: the request's form.

    Returns:
      `predictions`, an object an image, or `outputs`, a list an output. The outputs are those of the SavedModel's
      `serving_default`, with null where that has no number, and `model`, its name; of a model with a gate `reason`,
      with operating points `operating_points`, the decision at each in the record's order, and with prediction sets
      `prediction_set` and `coverage`.
    """
    rows = [_outputs(prediction, info) for prediction in predictions]
    return {"outputs": {name: [row[name] for row in rows] for name in rows[0]}} if columns else {"predictions": rows}


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
        "method_name": "tensorflow/serving/predict",
    }


def _filled(items: Any, name: str) -> list[Any]:
    if not isinstance(items, list):
        raise Refusal(400, f"Expecting '{name}' to be a list of images")
    if not items:
        raise Refusal(400, f"No values in '{name}' array")
    return items


def _only(row: Any) -> Any:
    """The value of the one input, which a row may leave unnamed."""
    return row[INPUT] if isinstance(row, Mapping) and set(row) == {INPUT} else row


def _image(item: Any, name: str) -> bytes:
    if not isinstance(item, Mapping) or set(item) != {"b64"} or not isinstance(item["b64"], str):
        raise Refusal(400, f'{name}: no image: send {{"b64": "..."}}, the image file in base64')
    try:
        return base64.b64decode(item["b64"], validate=True)
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


def _tensor(name: str, dtype: str, *sizes: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in (-1, *sizes)]
    return {"dtype": dtype, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}
