import sys

from hypothesis import given
from hypothesis import strategies as st
import pytest

from ctcov_tf import errors
from ctcov_tf.serving import client, not_answered
from ctcov_tf.serving.retries import Retries
from ctcov_tf.serving.target import Target

BAD = b"bad"


class Fake(client.Client):
    """Answers an image with its content; refuses a request with a bad one, or of too many bytes."""

    def __init__(self, most_bytes=1000):
        super().__init__(Target.parse("http://host/v1/models/net"), 1.0, Retries(attempts=1))
        self.most_bytes, self.requests = most_bytes, []

    def close(self):
        pass

    def _predict(self, images, signature):
        self.requests.append((len(images), signature))
        if sum(map(len, images)) > self.most_bytes:
            raise not_answered.refused(str(self.target), 413, "too large")
        if BAD in images:
            raise not_answered.refused(str(self.target), 400, "no image")
        return [{"content": image} for image in images]

    def _signatures(self):
        files, pixels = {"inputs": {"image_bytes": {}}}, {"inputs": {"images": {}}}
        return {"serving_default": files, "explain": files, "pixels": pixels}

    def _versions(self):
        return {}


@given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 8), st.integers(1, 60))
def test_batches_keep_order_and_bounds(contents, most, most_bytes):
    images = [(str(number), content) for number, content in enumerate(contents)]
    groups = list(client.batches(iter(images), most, most_bytes))
    assert [image for group in groups for image in group] == images
    for group in groups:
        assert 1 <= len(group) <= most
        assert len(group) == 1 or sum(len(content) for _, content in group) <= most_bytes


@given(st.lists(st.sampled_from([BAD, b"a", b"bb", b"c" * 9]), max_size=20), st.integers(1, 6))
def test_a_bad_image_costs_the_others_nothing(contents, most):
    images = [(str(number), content) for number, content in enumerate(contents)]
    found = list(client.predict_all(Fake(most_bytes=8), images, "explain", most))
    assert [name for name, _ in found] == [name for name, _ in images]
    for (_, answer), content in zip(found, contents, strict=True):
        if content in (BAD, b"c" * 9):
            assert isinstance(answer, not_answered.NotAnswered)
            assert answer.status == (400 if content == BAD else 413)
        else:
            assert answer == {"content": content}


def test_good_images_take_one_request_a_batch():
    served = Fake()
    assert len(list(client.predict_all(served, [("", b"a")] * 7, most=3))) == 7
    assert served.requests == [(3, "serving_default"), (3, "serving_default"), (1, "serving_default")]


def test_images_are_read_as_they_are_needed():
    read = []

    def images():
        for number in range(9):
            read.append(number)
            yield str(number), b"a"

    next(client.predict_all(Fake(), images(), most=2))
    assert len(read) <= 3


@pytest.mark.parametrize("signature", ["pixels", "none"])
def test_a_signature_that_takes_no_files_ends_it(signature):
    """In one error, and not in one for each image."""
    served = Fake()
    with pytest.raises(errors.CtcovError, match=f"no signature {signature} that.*: serving_default, explain$"):
        list(client.predict_all(served, [("a", BAD), ("b", BAD)], signature))
    assert len(served.requests) == 1


def test_other_errors_end_it():
    class Down(Fake):
        def _predict(self, images, signature):
            raise not_answered.refused("there", 404, "no such model")

    with pytest.raises(not_answered.NotAnswered, match="404"):
        list(client.predict_all(Down(), [("a", b"a"), ("b", b"b")]))


@pytest.mark.parametrize(
    ("scheme", "package"), [("http", "httpx"), ("grpc", "grpc"), ("grpc", "tensorflow_serving.apis")]
)
def test_a_package_that_is_missing_is_named(monkeypatch, scheme, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "ctcov_tf.serving.rest_client", raising=False)
    monkeypatch.delitem(sys.modules, "ctcov_tf.serving.grpc_client", raising=False)
    with pytest.raises(errors.CtcovError, match=rf"{package}.*: not installed: install it with pip install 'ctcov\[s"):
        client.connect(f"{scheme}://host/v1/models/net")
