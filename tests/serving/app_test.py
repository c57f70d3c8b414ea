import asyncio
from concurrent import futures
import pathlib
import threading

import httpx
import pytest

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.serving import app
from ctcov_tf.serving.served_model import ServedModel
from tests.fixed_predictor import Fixed, info

PARTS = (PartInfo("part1", "cxr_part1", Labels(("edema", "pneumonia"), "pneumonia", "findings"), "phantom/cxr", ""),)
PREDICT = "/v1/models/fixed:predict"
MAX_BODY = 100_000


class Placed(Fixed):
    path = pathlib.Path("fixed-2-float32.tflite")


@pytest.fixture
def model():
    return Placed(info(parts=PARTS), 0.8)


class Client:
    """Asks an application without a server."""

    def __init__(self, application):
        self._transport = httpx.ASGITransport(application, raise_app_exceptions=False)

    def opened(self):
        return httpx.AsyncClient(transport=self._transport, base_url="http://server")

    def request(self, method, address, **content):
        async def asked():
            async with self.opened() as client:
                return await client.request(method, address, **content)

        return asyncio.run(asked())

    def get(self, address):
        return self.request("GET", address)

    def post(self, address, **content):
        return self.request("POST", address, **content)


@pytest.fixture
def client(model):
    with futures.ThreadPoolExecutor(1) as worker:
        yield Client(app.create(ServedModel(model), worker, MAX_BODY))


@pytest.fixture
def image(image_files):
    return image_files[0].read_bytes()


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("address", ["/v1/models/fixed", "/v1/models/fixed/versions/2"])
def test_status(client, address):
    status = {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert client.get(address).json() == {"model_version_status": [status]}


@pytest.mark.parametrize("address", ["/v1/models/fixed/metadata", "/v1/models/fixed/versions/2/metadata"])
def test_metadata_names_inputs_and_outputs(client, address, rows, image):
    content = client.get(address).json()
    assert content["model_spec"] == {"name": "fixed", "signature_name": "", "version": "2"}
    signature = content["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert list(signature["inputs"]) == ["image_bytes"]
    assert content["metadata"]["model_info"]["notice"] == RESEARCH_USE
    (answer,) = client.post(PREDICT, json=rows(image)).json()["predictions"]
    assert set(signature["outputs"]) == set(answer)


@pytest.mark.parametrize("address", [PREDICT, "/v1/models/fixed/versions/2:predict"])
def test_predict_in_rows_and_columns(client, address, rows, image):
    request = rows(image, image)
    answers = client.post(address, json=request).json()["predictions"]
    assert len(answers) == 2
    assert answers[0]["probability"] == pytest.approx(0.8)
    assert (answers[0]["label"], answers[0]["part1_edema"], answers[0]["model"]) == ("covid19", 0.25, "fixed")
    outputs = client.post(address, json={"inputs": {"image_bytes": request["instances"]}}).json()["outputs"]
    assert outputs == {name: [answers[0][name]] * 2 for name in answers[0]}


@pytest.mark.parametrize(
    ("method", "address", "status", "message"),
    [
        ("GET", "/v1/models/other", 404, "Could not find any versions of model other"),
        ("GET", "/v1/models/fixed/versions/3", 404, "Could not find version 3 of model fixed"),
        ("GET", "/v1/models/other/metadata", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v1/models/other:predict", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v1/models/fixed/versions/3:predict", 404, "Servable not found for request: Specific(fixed, 3)"),
        ("POST", "/v1/models/fixed:classify", 400, "Malformed request: POST /v1/models/fixed:classify"),
        ("GET", "/v1/models/fixed/versions/x", 400, "Malformed request: GET /v1/models/fixed/versions/x"),
        ("GET", "/other", 404, "Not Found: GET /other"),
        ("POST", PREDICT, 400, "JSON Parse error: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_refusals_have_tensorflow_servings_form(client, method, address, status, message):
    answer = client.request(method, address)
    assert answer.status_code == status
    assert answer.json() == {"error": message}


def test_one_bad_image_fails_the_request(client, rows, image):
    answer = client.post(PREDICT, json=rows(image, b"no image"))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("instances[1]: not a PNG, JPEG or BMP image")


def test_a_body_above_the_limit_is_refused(client):
    assert client.post(PREDICT, content=bytes(MAX_BODY)).status_code == 400
    answer = client.post(PREDICT, content=bytes(MAX_BODY + 1))
    assert answer.status_code == 413
    assert "send fewer images" in answer.json()["error"]


def test_a_bug_gives_away_nothing_of_the_request(client, model, rows, image, monkeypatch):
    def outputs(data, image, heatmaps=False):
        raise ZeroDivisionError(data)

    monkeypatch.setattr(model, "outputs", outputs)
    answer = client.post(PREDICT, json=rows(image))
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error (ZeroDivisionError)"}


def test_the_server_answers_while_the_model_runs(client, model, rows, image, monkeypatch):
    started, release = threading.Event(), threading.Event()
    outputs = model.outputs

    def slow(data, image, heatmaps=False):
        started.set()
        assert release.wait(30)
        return outputs(data, image)

    monkeypatch.setattr(model, "outputs", slow)

    async def both():
        async with client.opened() as asking:
            asked = asyncio.create_task(asking.post(PREDICT, json=rows(image)))
            assert await asyncio.to_thread(started.wait, 30)
            health = await asking.get("/healthz")
            release.set()
            return health, await asked

    for answer in asyncio.run(both()):
        assert answer.status_code == 200


def test_a_name_that_no_address_can_hold_is_refused(model):
    assert ServedModel(model, "a.b-c_1").name == "a.b-c_1"
    for name in ("a/b", "a:b", "a b"):
        with pytest.raises(errors.CtcovError, match="choose --name"):
            ServedModel(model, name)
