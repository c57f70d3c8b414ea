import pytest

from ctcov_tf.serving import rest
from ctcov_tf.serving.addresses import Address, parse


@pytest.mark.parametrize(
    ("method", "path", "address"),
    [
        ("GET", "/v1/models/net", Address("net", None, None, "status")),
        ("GET", "/v1/models/net/versions/12", Address("net", 12, None, "status")),
        ("GET", "/v1/models/net/labels/stable", Address("net", None, "stable", "status")),
        ("GET", "/v1/models/net/metadata", Address("net", None, None, "metadata")),
        ("GET", "/v1/models/net/versions/12/metadata", Address("net", 12, None, "metadata")),
        ("GET", "/v1/models/net/labels/stable/metadata", Address("net", None, "stable", "metadata")),
        ("POST", "/v1/models/net:predict", Address("net", None, None, "predict")),
        ("POST", "/v1/models/net/versions/12:predict", Address("net", 12, None, "predict")),
        ("POST", "/v1/models/net/labels/stable:predict", Address("net", None, "stable", "predict")),
        ("POST", "/V1/Models/net:classify", Address("net", None, None, "classify")),
        ("POST", "/v1/models/net:regress", Address("net", None, None, "regress")),
    ],
)
def test_addresses_are_those_of_tensorflow_serving(method, path, address):
    assert parse(method, path) == address


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/v1/models", "Missing model name in request."),
        ("GET", "/v1/models/", "Malformed request: GET /v1/models/"),
        ("GET", "/v1/models/net:predict", "Malformed request: GET /v1/models/net:predict"),
        ("GET", "/v1/models/net/versions/x", "Malformed request: GET /v1/models/net/versions/x"),
        ("GET", "/v1/models/net/versions/1/labels/a", "Malformed request: GET /v1/models/net/versions/1/labels/a"),
        ("POST", "/v1/models/net", "Malformed request: POST /v1/models/net"),
        ("POST", "/v1/models/net:explain", "Malformed request: POST /v1/models/net:explain"),
        ("PUT", "/v1/models/net:predict", "Malformed request: PUT /v1/models/net:predict"),
        ("GET", f"/v1/models/net/versions/{2**63}", f"Failed to convert version: {2**63} to numeric."),
    ],
)
def test_others_are_malformed(method, path, message):
    with pytest.raises(rest.Refusal) as caught:
        parse(method, path)
    assert (caught.value.status, str(caught.value)) == (400, message)
