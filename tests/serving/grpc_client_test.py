"""The gRPC client against the gRPC services of tensorflow-serving-api, over a SavedModel on this machine."""

import math
import socket

import cv2
import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

from benchmarks import embedded_server
from ctcov_tf.serving import client, not_answered
from ctcov_tf.serving.grpc_client import GrpcClient
from ctcov_tf.serving.retries import Retries
from ctcov_tf.serving.target import Target
from tests.serving.prediction_service import Service, serving

RETRIES = Retries(attempts=3, first_delay=0.001)


@pytest.fixture(scope="module")
def folder(tiny_fusion_exports):
    return tiny_fusion_exports["saved_model"]


@pytest.fixture(scope="module")
def running(folder):
    """The service and the address of its model."""
    service = Service(folder, labels={"stable": 1})
    with serving(service) as server:
        yield service, f"grpc://{server}/v1/models/{folder.parent.name}"


@pytest.fixture
def service(running):
    service = running[0]
    service.requests, service.faults = [], []
    service.go_on.set()
    return service


@pytest.fixture
def served(running, service):
    with client.connect(running[1], retries=RETRIES, timeout=60) as connected:
        yield connected


@pytest.fixture(scope="module")
def images(image_files):
    """The last one ends in zero bytes, which numpy would cut off a string."""
    black = cv2.imencode(".bmp", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    return [image_files[0].read_bytes(), black]


@pytest.mark.parametrize("signature", ["serving_default", "explain"])
def test_every_output_is_that_of_the_saved_model(served, service, folder, images, signature):
    answers = served.predict(images, signature)
    expected = tf.saved_model.load(folder).signatures[signature](image_bytes=tf.constant(images))
    assert [set(answer) for answer in answers] == [set(expected)] * 2
    for name, tensor in expected.items():
        found = [answer[name] for answer in answers]
        if tensor.dtype == tf.string:
            assert found == [one.decode() for one in tensor.numpy()]
        else:
            np.testing.assert_array_equal(np.array(found, np.float32), tensor.numpy())
    assert service.requests[0][0].signature_name == signature


def test_rest_and_grpc_give_the_same(served, folder, images):
    with embedded_server.serving(folder.parent) as server:
        address = f"http://127.0.0.1:{server.port}/v1/models/{folder.parent.name}"
        with client.connect(address, timeout=60) as rest:
            from_rest = rest.predict(images)
    for one, other in zip(served.predict(images), from_rest, strict=True):
        assert set(one) <= set(other)
        for name in one:
            assert one[name] == (pytest.approx(other[name], abs=1e-5) if name != "label" else other[name])


def test_versions_labels_and_token_are_sent(running, service, images):
    address = running[1]
    for suffix, field in (("", None), ("/versions/1", "version"), ("/labels/stable", "version_label")):
        with client.connect(address + suffix, token="secret", retries=RETRIES, timeout=60) as served:
            served.predict(images[:1])
        spec, metadata = service.requests[-1]
        assert spec.WhichOneof("version_choice") == field
        assert metadata["authorization"] == "Bearer secret"


def test_metadata_and_state(served):
    signatures = served.signatures()
    assert set(signatures) == {"serving_default", "pixels", "pixels_float", "explain"}
    inputs = signatures["serving_default"]["inputs"]
    assert inputs["image_bytes"]["dtype"] == "DT_STRING"
    assert inputs["image_bytes"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert signatures["explain"]["method_name"] == "tensorflow/serving/predict"
    assert served.versions() == {1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda address: address.replace("deep_cxr_net", "other"), 404, r"Latest\(other\).*check the model's name"),
        (lambda address: f"{address}/versions/7", 404, "Could not find version 7"),
        (lambda address: f"{address}/labels/nope", 400, "Unrecognized servable version label: nope"),
    ],
)
def test_an_unknown_model_version_or_label(running, service, images, change, status, words):
    address = change(running[1])
    with client.connect(address, retries=RETRIES) as served:
        for ask in (lambda: served.predict(images), served.versions, served.signatures):
            with pytest.raises(not_answered.NotAnswered, match=words) as caught:
                ask()
            assert caught.value.status == status
            assert str(caught.value).startswith(f"{address}: refused (status {status}: ")


def test_a_label_that_is_unknown_is_one_error_for_all_images(running, service, images):
    named = [(str(number), images[0]) for number in range(5)]
    with (
        client.connect(f"{running[1]}/labels/nope", retries=RETRIES) as served,
        pytest.raises(not_answered.NotAnswered, match="Unrecognized servable version label"),
    ):
        list(client.predict_all(served, named))
    assert len(service.requests) == 1


def test_bad_images_and_signatures_are_asked_once(served, service, images):
    for content, signature in (([images[0], b"no image"], "serving_default"), (images, "none"), (images, "pixels")):
        service.requests = []
        with pytest.raises(not_answered.NotAnswered) as caught:
            served.predict(content, signature)
        assert (caught.value.status, len(service.requests)) == (400, 1)


def test_a_bad_image_costs_the_others_nothing(served, images):
    found = dict(client.predict_all(served, [("a", images[0]), ("bad", b"no image"), ("b", images[1])]))
    assert isinstance(found["bad"], not_answered.NotAnswered)
    assert found["a"]["probability"] == pytest.approx(served.predict(images)[0]["probability"], abs=1e-5)


def test_a_server_that_has_no_time_is_asked_again(served, service, images):
    service.faults = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert len(served.predict(images)) == 2
    assert len(service.requests) == 3
    service.faults = [grpc.StatusCode.UNAVAILABLE] * 3
    with pytest.raises(not_answered.NotAnswered, match="status 503: not now"):
        served.predict(images)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, 401),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNKNOWN, 500),
        (grpc.StatusCode.DATA_LOSS, 500),
    ],
)
def test_other_statuses_are_not_asked_again(served, service, images, code, status):
    service.faults = [code]
    with pytest.raises(not_answered.NotAnswered) as caught:
        served.predict(images)
    assert (caught.value.status, len(service.requests)) == (status, 1)


def test_a_deadline_ends_the_wait(running, service, images):
    service.go_on.clear()
    with (
        client.connect(running[1], timeout=1.5, retries=RETRIES) as served,
        pytest.raises(not_answered.NotAnswered, match=r"no answer within 1.5 s: send fewer images at once"),
    ):
        served.predict(images)
    service.go_on.set()
    assert len(service.requests) == 1


def test_more_than_grpcs_own_4_megabytes(served, images):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    image = tf.io.encode_png(noise).numpy()
    assert len(image) > 4 * 2**20
    (answer,) = served.predict([image])
    assert 0 <= answer["probability"] <= 1


class Gate(prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer):
    """Answers with outputs that no signature here has."""

    rows = 1

    def Predict(self, request, context):
        answer = predict_pb2.PredictResponse()
        for name, value in {
            "probability": np.full(self.rows, np.nan, np.float32),
            "in_distribution": np.zeros(self.rows, bool),
            "reason": np.array([b"too far"] * self.rows, object),
            "finding": np.array([[b"a", b"b"]] * self.rows, object),
        }.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return answer


def test_outputs_of_any_name_and_type_and_numbers_that_are_none():
    gate = Gate()
    with serving(gate) as server, GrpcClient(Target("grpc", server, "net"), None, 60, RETRIES) as served:
        (answer,) = served.predict([b"one"])
        assert math.isnan(answer.pop("probability"))
        assert answer == {"in_distribution": False, "reason": "too far", "finding": ["a", "b"]}
        gate.rows = 3
        with pytest.raises(not_answered.NotAnswered, match=r"not an answer of TensorFlow Serving \(outputs not of 1"):
            served.predict([b"one"])


def test_nobody_at_the_address():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    address = f"grpc://127.0.0.1:{port}/v1/models/net"
    with (
        client.connect(address, retries=Retries(2, 0.001), timeout=60) as served,
        pytest.raises(not_answered.NotAnswered, match="see whether the server runs") as caught,
    ):
        served.predict([b"one"])
    assert str(caught.value).startswith(address)
