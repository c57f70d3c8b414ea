import pytest

from ctcov_tf import errors
from ctcov_tf.serving.target import Target


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("http://host:8501/v1/models/net", Target("http", "host:8501", "net")),
        ("https://host/v1/models/net-2.x", Target("https", "host", "net-2.x")),
        ("http://[::1]:8501/v1/models/net/versions/12", Target("http", "[::1]:8501", "net", version=12)),
        ("grpc://host:9000/v1/models/net/labels/stable", Target("grpc", "host:9000", "net", label="stable")),
    ],
)
def test_addresses_are_read_and_written(address, target):
    assert Target.parse(address) == target
    assert str(target) == address


def test_the_call_at_the_end_is_left_out():
    assert str(Target.parse("http://host/v1/models/net:predict")) == "http://host/v1/models/net"


def test_grpc_has_tensorflow_servings_port():
    assert Target.parse("grpcs://host/v1/models/net").server == "host:8500"
    assert Target.parse("grpc://[::1]/v1/models/net").server == "[::1]:8500"


@pytest.mark.parametrize(
    "address",
    [
        "host:8501/v1/models/net",
        "ftp://host/v1/models/net",
        "http://host:8501",
        "http://host/v1/models/",
        "http://host/v1/models/net/versions/new",
        "http://host/v1/models/net/versions/1/labels/stable",
        "http://name:word@host/v1/models/net",
        "http://host/v1/models/net?version=1",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(errors.CtcovError, match="no address of a served model: write http://HOST:8501/v1/models/NAME"):
        Target.parse(address)
