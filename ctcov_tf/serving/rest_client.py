"""TensorFlow Serving's REST interface, asked with httpx."""

import base64
from collections.abc import Sequence
import json
from typing import Any

import httpx

from ctcov_tf.serving import not_answered
from ctcov_tf.serving.client import INPUT, Answer, Client
from ctcov_tf.serving.retries import Retries
from ctcov_tf.serving.target import Target


class RestClient(Client):
    """A client of TensorFlow Serving's REST interface, or of `ctcov serve`."""

    def __init__(
        self,
        target: Target,
        token: str | None,
        timeout: float,
        retries: Retries,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Makes the client; connects with the first request.

        Args:
          target: what is asked.
          token: sent as `Authorization: Bearer TOKEN`; None for none.
          timeout: seconds to wait for the server's next sign.
          retries: of each request.
          transport: of httpx; its own if None.
        """
        super().__init__(target, timeout, retries)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=target.base, headers=headers, timeout=timeout, transport=transport)

    def close(self) -> None:  # noqa: D102
        self._http.close()

    def _predict(self, images: Sequence[bytes], signature: str) -> list[Answer]:
        rows = [{INPUT: {"b64": base64.b64encode(image).decode("ascii")}} for image in images]
        answer = self._ask("POST", f"{self.target.path}:predict", {"signature_name": signature, "instances": rows})
        predictions = answer.get("predictions")
        if not isinstance(predictions, list) or len(predictions) != len(images):
            raise not_answered.another_answer(str(self.target), f"not {len(images)} predictions")
        if not all(isinstance(prediction, dict) for prediction in predictions):
            raise not_answered.another_answer(str(self.target), "outputs without names")
        return predictions

    def _signatures(self) -> dict[str, Any]:
        answer = self._ask("GET", f"{self.target.path}/metadata")
        try:
            return answer["metadata"]["signature_def"]["signature_def"]
        except (KeyError, TypeError) as error:
            raise not_answered.another_answer(str(self.target), "no signature_def") from error

    def _versions(self) -> dict[int, str]:
        answer = self._ask("GET", self.target.path)
        try:
            return {int(one["version"]): one["state"] for one in answer["model_version_status"]}
        except (KeyError, TypeError, ValueError) as error:
            raise not_answered.another_answer(str(self.target), "no model_version_status") from error

    def _ask(self, method: str, path: str, content: Any = None) -> dict[str, Any]:
        address = f"{self.target.base}{path}"
        try:
            answer = self._http.request(method, path, json=content)
        except httpx.TimeoutException as error:
            raise not_answered.timed_out(address, self.timeout) from error
        except httpx.TransportError as error:
            raise not_answered.unreachable(address, str(error)) from error
        if answer.status_code != httpx.codes.OK:
            raise not_answered.refused(address, answer.status_code, _reason(answer), _wait(answer))
        try:
            found = json.loads(answer.content)  # takes the NaN and Infinity that TensorFlow Serving writes
        except ValueError as error:
            raise not_answered.another_answer(address, "no JSON") from error
        if not isinstance(found, dict):
            raise not_answered.another_answer(address, "no JSON object")
        return found


def _reason(answer: httpx.Response) -> str:
    """The server's words, where it has TensorFlow Serving's form; else the name of the status."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _wait(answer: httpx.Response) -> float:
    """Seconds of `Retry-After`; a date, the header's other form, is not read."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0
