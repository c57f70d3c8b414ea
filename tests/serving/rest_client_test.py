import base64
import json
import math
import socket

import httpx
import pytest

from benchmarks import embedded_server
from ctcov_tf import predictor
from ctcov_tf.serving import client, not_answered
from ctcov_tf.serving.rest_client import RestClient
from ctcov_tf.serving.retries import Retries
from ctcov_tf.serving.target import Target

ADDRESS = "http://host:8501/v1/models/net/labels/stable"


class Scripted:
    """A server of given answers; keeps the requests."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def connected(*answers, token=None):
    server = Scripted(*answers)
    retries = Retries(attempts=3, first_delay=0.001)
    return server, RestClient(Target.parse(ADDRESS), token, 7, retries, httpx.MockTransport(server))


def predictions(*rows):
    return httpx.Response(200, json={"predictions": list(rows)})


def test_a_request_has_tensorflow_servings_form():
    server, served = connected(predictions({"probability": 0.5}, {"probability": 0.25}), token="secret")
    assert served.predict([b"one", b"two"], "explain") == [{"probability": 0.5}, {"probability": 0.25}]
    (request,) = server.requests
    assert (request.method, str(request.url)) == ("POST", f"{ADDRESS}:predict")
    assert request.headers["Authorization"] == "Bearer secret"
    images = [{"image_bytes": {"b64": base64.b64encode(image).decode()}} for image in (b"one", b"two")]
    assert json.loads(request.content) == {"signature_name": "explain", "instances": images}


def test_without_a_token_there_is_no_header():
    server, served = connected(predictions({"label": "normal"}))
    served.predict([b"one"])
    assert "Authorization" not in server.requests[0].headers


def test_numbers_that_are_none_are_taken():
    """TensorFlow Serving writes NaN and Infinity as these words, which JSON does not know."""
    text = b'{"predictions": [{"probability": NaN, "scores": [Infinity, -Infinity, 0.5], "in_distribution": false}]}'
    (answer,) = connected(httpx.Response(200, content=text))[1].predict([b"one"])
    assert math.isnan(answer["probability"])
    assert answer["scores"] == [math.inf, -math.inf, 0.5]
    assert answer["in_distribution"] is False


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "send image files that can be read"),
        (401, "CTCOV_TOKEN"),
        (403, "a token that may use this model"),
        (404, "check the model's name, version and label"),
        (409, "ask again later"),
        (413, "send fewer images at once"),
        (418, "check the address"),
        (429, "ask again later, with fewer images"),
        (500, "see the server's log"),
        (501, "check that the server is TensorFlow Serving"),
        (502, "the server behind the proxy"),
        (503, "see whether the server runs"),
        (504, "send fewer images at once, or wait longer"),
        (599, "see the server's log"),
    ],
)
def test_each_status_names_the_address_and_the_remedy(status, remedy):
    server, served = connected(httpx.Response(status, json={"error": "its\nown words"}), token="secret")
    with pytest.raises(not_answered.NotAnswered) as caught:
        served.predict([b"one"])
    assert caught.value.status == status
    message = str(caught.value)
    assert message.startswith(f"{ADDRESS}:predict: refused (status {status}: its own words): ")
    assert remedy in message
    assert "secret" not in message
    assert len(server.requests) == (3 if status in (429, 502, 503) else 1)


def test_a_server_without_json_is_named_by_the_status():
    _, served = connected(httpx.Response(404, text="<html>nothing here</html>"))
    with pytest.raises(not_answered.NotAnswered, match=r"status 404: Not Found\)"):
        served.versions()


def test_it_asks_again_and_waits_as_it_is_told():
    server, served = connected(
        httpx.Response(503, json={"error": "full"}, headers={"Retry-After": "0"}),
        httpx.ConnectError("connection refused"),
        predictions({"label": "normal"}),
    )
    assert served.predict([b"one"]) == [{"label": "normal"}]
    assert len(server.requests) == 3
    with pytest.raises(not_answered.NotAnswered) as caught:
        connected(httpx.Response(400, headers={"Retry-After": "7"}))[1].predict([b"one"])
    assert caught.value.wait == 7


def test_a_time_out_is_not_repeated_and_says_how_long():
    server, served = connected(httpx.ReadTimeout("late"))
    with pytest.raises(not_answered.NotAnswered, match="no answer within 7 s: send fewer images at once, or wait"):
        served.predict([b"one"])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (httpx.Response(200, text="hello"), "no JSON"),
        (httpx.Response(200, json=["hello"]), "no JSON object"),
        (httpx.Response(200, json={"outputs": []}), "not 2 predictions"),
        (predictions({"probability": 0.5}), "not 2 predictions"),
        (predictions(0.5, 0.25), "outputs without names"),
    ],
)
def test_another_kind_of_answer_is_refused(answer, what):
    with pytest.raises(
        not_answered.NotAnswered, match=rf"not an answer of TensorFlow Serving \({what}\): check the ad"
    ):
        connected(answer)[1].predict([b"one", b"two"])


def test_states_and_signatures_of_another_kind_are_refused():
    for ask in ("versions", "signatures"):
        with pytest.raises(not_answered.NotAnswered, match="not an answer of TensorFlow Serving"):
            getattr(connected(httpx.Response(200, json={"status": "ok"}))[1], ask)()


def test_states_of_versions():
    status = {"error_code": "OK", "error_message": ""}
    states = [{"version": "2", "state": "LOADING", "status": status}, {"version": "1", "state": "AVAILABLE"}]
    server, served = connected(httpx.Response(200, json={"model_version_status": states}))
    assert served.versions() == {2: "LOADING", 1: "AVAILABLE"}
    assert str(server.requests[0].url) == ADDRESS


@pytest.fixture(scope="module")
def address(mean_grey_file):
    """Address of the model that the embedded server serves."""
    with embedded_server.serving(mean_grey_file) as server:
        yield f"http://127.0.0.1:{server.port}/v1/models/mean_grey"


def test_the_embedded_server_answers_as_the_model_does(address, mean_grey_file, image_files):
    images = [path.read_bytes() for path in image_files]
    model = predictor.load(mean_grey_file)
    with client.connect(address) as served:
        answers = served.predict(images)
        assert served.versions() == {3: "AVAILABLE"}
        assert list(served.signatures()["serving_default"]["inputs"]) == ["image_bytes"]
    for answer, image in zip(answers, images, strict=True):
        expected = model.predict(image, "image")
        assert (answer["probability"], answer["label"]) == (expected.probability, expected.label)
    with client.connect(f"{address}/versions/3") as served:
        assert served.predict(images) == answers


def test_the_embedded_servers_refusals(address, image_files):
    image = image_files[0].read_bytes()
    for wrong in (address.replace("mean_grey", "other"), f"{address}/versions/4"):
        with client.connect(wrong) as served, pytest.raises(not_answered.NotAnswered, match="Servable not found"):
            served.predict([image])
    with client.connect(address) as served:
        with pytest.raises(not_answered.NotAnswered, match="not found in signature def"):
            served.predict([image], "none_such")
        with pytest.raises(not_answered.NotAnswered) as caught:
            served.predict([bytes(40 * 2**20)])
    assert caught.value.status == 413


def test_bad_images_beside_good_ones_at_the_embedded_server(address, image_files):
    good = image_files[0].read_bytes()
    images = [(str(number), b"no image" if number in (1, 6) else good) for number in range(9)]
    with client.connect(address) as served:
        found = dict(client.predict_all(served, images, most=5))
    assert [name for name, answer in found.items() if isinstance(answer, not_answered.NotAnswered)] == ["1", "6"]
    assert len({answer["probability"] for answer in found.values() if isinstance(answer, dict)}) == 1


def test_nobody_at_the_address():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    served = client.connect(f"http://127.0.0.1:{port}/v1/models/net", retries=Retries(2, 0.001))
    with served, pytest.raises(not_answered.NotAnswered, match=r"cannot be reached .*check host, port and scheme"):
        served.predict([b"one"])
