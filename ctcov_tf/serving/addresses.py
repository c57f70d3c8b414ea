"""TensorFlow Serving's REST addresses: what a method and a path ask for; `study`, of DICOM files, is one of ours.

As in its `http_rest_api_util.cc`: a model by name, one of its versions by number or label, and what is wanted of it.
"""

import dataclasses
import re

from ctcov_tf.serving.rest import Refusal

_VERSION = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_CALL = re.compile(rf"(?i:/v1/models)/(?P<name>[^/:]+){_VERSION}:(?P<call>classify|regress|predict|study)")
_STATE = re.compile(rf"(?i:/v1/models)(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<call>metadata))?")
_MAX_VERSION = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Address:
    """What a request asks for.

    Attributes:
      name: of the model.
      version: its number; None if the request names none.
      label: its label; None if the request names none.
      call: `predict`, `study`, `classify`, `regress`, `metadata` or `status`.
    """

    name: str
    version: int | None
    label: str | None
    call: str


def parse(method: str, path: str) -> Address:
    """Reads an address.

    Args:
      method: of HTTP.
      path: of the request, without its query.

    Raises:
      Refusal: it is none of TensorFlow Serving's.
    """
    pattern = {"GET": _STATE, "POST": _CALL}.get(method)
    found = pattern.fullmatch(path) if pattern else None
    if not found:
        raise Refusal(400, f"Malformed request: {method} {path}")
    if not found["name"]:
        raise Refusal(400, "Missing model name in request.")
    version = int(found["version"]) if found["version"] else None
    if version is not None and version > _MAX_VERSION:
        raise Refusal(400, f"Failed to convert version: {found['version']} to numeric.")
    return Address(found["name"], version, found["label"], found["call"] or "status")
