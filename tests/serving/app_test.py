"""Every address, with a model that is there at once and no server."""

import asyncio
import gzip
import io
import json
import threading

from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.serving.settings import Batching, Limits, Settings
from tests.fixed_predictor import Fixed, info

PARTS = (PartInfo("part1", "cxr_part1", Labels(("edema", "pneumonia"), "pneumonia", "findings"), "phantom/cxr", ""),)
PREDICT = "/v1/models/fixed:predict"
MAX_BODY = 100_000


@pytest.fixture
def model():
    return Fixed(info(parts=PARTS), 0.8)


@pytest.fixture
def start(serving, model):
    """Serves the model as version 2."""

    def started(token=None, **limits):
        settings = Settings(limits=Limits(**{"body": MAX_BODY, **limits}), batching=Batching())
        return serving(2, models={2: model}, settings=settings, token=token).client

    return started


@pytest.fixture
def client(start):
    return start()


class Held:
    """A model that answers when it is let."""

    def __init__(self, model, monkeypatch):
        self.started, self.release = threading.Event(), threading.Event()
        outputs = model.outputs

        def slow(data, image, heatmaps=False):
            self.started.set()
            assert self.release.wait(30)
            return outputs(data, image, heatmaps=heatmaps)

        monkeypatch.setattr(model, "outputs", slow)


@pytest.fixture
def held(model, monkeypatch):
    held = Held(model, monkeypatch)
    yield held
    held.release.set()


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("version", ["", "/versions/2", "/labels/stable"])
def test_status(client, version):
    status = {"version": "2", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert client.get(f"/v1/models/fixed{version}").json() == {"model_version_status": [status]}


@pytest.mark.parametrize("version", ["", "/versions/2", "/labels/stable"])
def test_metadata_names_inputs_and_outputs(client, version, rows, image):
    content = client.get(f"/v1/models/fixed{version}/metadata").json()
    assert content["model_spec"] == {"name": "fixed", "signature_name": "", "version": "2"}
    assert content["metadata"]["model_info"]["notice"] == RESEARCH_USE
    signatures = content["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default", "explain"]
    for name, signature in signatures.items():
        assert list(signature["inputs"]) == ["image_bytes"]
        (answer,) = client.post(PREDICT, json=rows(image) | {"signature_name": name}).json()["predictions"]
        assert set(signature["outputs"]) == set(answer)


@pytest.mark.parametrize("version", ["", "/versions/2", "/labels/stable"])
def test_predict_in_rows_and_columns(client, version, rows, image):
    address = f"/v1/models/fixed{version}:predict"
    request = rows(image, image)
    answers = client.post(address, json=request).json()["predictions"]
    assert len(answers) == 2
    assert answers[0]["probability"] == pytest.approx(0.8)
    assert (answers[0]["label"], answers[0]["part1_edema"], answers[0]["model"]) == ("covid19", 0.25, "fixed")
    outputs = client.post(address, json={"inputs": {"image_bytes": request["instances"]}}).json()["outputs"]
    assert outputs == {name: [answers[0][name]] * 2 for name in answers[0]}


def test_heat_maps_are_another_signature(client, rows, image):
    (answer,) = client.post(PREDICT, json=rows(image) | {"signature_name": "explain"}).json()["predictions"]
    assert answer["heatmap"] == [[float(n == m) for n in range(4)] for m in range(4)]
    assert answer["heatmap_part1"] == [[float(n != m) for n in range(4)] for m in range(4)]
    assert answer["finding_part1"] == "edema"


def test_a_model_without_heat_maps_has_one_signature(start, model, rows, image):
    model.explains = False
    client = start()
    signatures = client.get("/v1/models/fixed/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default"]
    answer = client.post(PREDICT, json=rows(image) | {"signature_name": "explain"})
    assert answer.status_code == 400
    assert answer.json() == {"error": 'Serving signature name: "explain" not found in signature def'}


@pytest.mark.parametrize(
    ("method", "address", "status", "message"),
    [
        ("GET", "/v1/models/other", 404, "Could not find any versions of model other"),
        ("GET", "/v1/models/fixed/versions/3", 404, "Could not find version 3 of model fixed"),
        ("GET", "/v1/models/other/metadata", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v1/models/other:predict", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v1/models/other/versions/3:predict", 404, "Servable not found for request: Specific(other, 3)"),
        ("POST", "/v1/models/fixed/versions/3:predict", 404, "Servable not found for request: Specific(fixed, 3)"),
        ("POST", "/v1/models/fixed/labels/new:predict", 400, "Unrecognized servable version label: new"),
        ("POST", "/v1/models/other:classify", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v1/models/fixed:explain", 400, "Malformed request: POST /v1/models/fixed:explain"),
        ("DELETE", "/v1/models/fixed", 400, "Malformed request: DELETE /v1/models/fixed"),
        ("GET", "/v1/models/fixed/versions/x", 400, "Malformed request: GET /v1/models/fixed/versions/x"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/other", 404, "Not Found: GET /other"),
        ("POST", "/healthz", 405, "Method Not Allowed: POST /healthz"),
        ("POST", PREDICT, 400, "JSON Parse error: The document is empty"),
        (
            "POST",
            "/v1/models/fixed:classify",
            400,
            "Expected classification signature method_name to be tensorflow/serving/classify. "
            "Was: tensorflow/serving/predict",
        ),
        (
            "POST",
            "/v1/models/fixed:regress",
            400,
            "Expected regression signature method_name to be tensorflow/serving/regress. "
            "Was: tensorflow/serving/predict",
        ),
    ],
)
def test_refusals_have_tensorflow_servings_form(client, method, address, status, message):
    answer = client.request(method, address)
    assert answer.status_code == status
    assert answer.json() == {"error": message}


def test_what_utf_8_cannot_hold_is_refused_too(client, rows, image):
    answer = client.post(PREDICT, content=json.dumps(rows(image) | {"signature_name": "\ud800"}).encode())
    assert answer.status_code == 400
    assert answer.json() == {"error": 'Serving signature name: "?" not found in signature def'}


def test_one_bad_image_fails_the_request(client, rows, image):
    answer = client.post(PREDICT, json=rows(image, b"no image"))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("instances[1]: not a PNG, JPEG or BMP image")


def test_a_body_above_the_limit_is_refused(client):
    async def chunks():
        for _ in range(MAX_BODY // 1000 + 1):
            yield bytes(1000)

    assert client.post(PREDICT, content=bytes(MAX_BODY)).status_code == 400
    for body in (bytes(MAX_BODY + 1), chunks()):
        answer = client.post(PREDICT, content=body)
        assert answer.status_code == 413
        assert answer.json()["error"] == f"request of more than {MAX_BODY} bytes: send fewer images at once"


def test_images_above_the_limit_are_refused(start, rows):
    file = io.BytesIO()
    Image.new("L", (101, 100)).save(file, "PNG")
    answer = start(pixels=10_000).post(PREDICT, json=rows(file.getvalue()))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("instances[0]: 101 x 100 pixels, the limit is 10000")


def test_more_images_than_are_allowed_are_refused(start, rows, image):
    client = start(images=2)
    assert client.post(PREDICT, json=rows(image, image)).status_code == 200
    answer = client.post(PREDICT, json=rows(image, image, image))
    assert (answer.status_code, answer.json()["error"]) == (413, "3 images in 'instances': send at most 2 at once")


def together(client, *requests, after=None):
    """Asks several requests at once; `after` runs once all are sent."""

    async def asked():
        async with client.opened() as asking:
            tasks = [asyncio.create_task(asking.post(PREDICT, **request)) for request in requests]
            if after:
                await asyncio.to_thread(after, tasks)
            return await asyncio.gather(*tasks)

    return asyncio.run(asked())


def done(tasks, number):
    """Waits until so many of the tasks are done."""
    for _ in range(3000):
        if sum(task.done() for task in tasks) >= number:
            return
        threading.Event().wait(0.01)
    raise AssertionError("they do not end")


def test_a_full_queue_is_refused_in_json(start, held, rows, image):
    client = start(images=2, queue=2)

    def release(tasks):
        done(tasks, 5)
        held.release.set()

    answers = together(client, *[{"json": rows(image, image)}] * 7, after=release)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) in (5, 6)
    for answer in refused:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["error"].startswith("The queue is full")


def test_too_many_bytes_at_once_are_refused_in_json(start, held, rows, image):
    """Each request is as large as is allowed; the limit of all is eight of them."""
    client = start(queue=100)
    request = {"content": b'{"instances": [{"b64": "'}
    filler = (str(rows(image)["instances"][0]["b64"])).encode()
    request["content"] += filler + b'"}]}'
    request["content"] += b" " * (MAX_BODY - len(request["content"]))

    def release(tasks):
        done(tasks, 2)
        held.release.set()

    answers = together(client, *[request] * 10, after=release)
    assert [answer.status_code for answer in answers].count(503) == 2
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json() == {"error": "Too many large requests at once: ask again later"}


def test_a_request_that_takes_too_long_is_given_up(start, held, rows, image):
    answer = start(seconds=0.2).post(PREDICT, json=rows(image))
    assert answer.status_code == 504
    assert answer.json() == {"error": "Timed out after 0.2 s: send fewer images at once"}


def test_a_body_that_never_ends_is_given_up(start):
    async def endless():
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    assert start(seconds=0.2).post(PREDICT, content=endless()).status_code == 504


def test_the_server_answers_while_the_model_runs(client, held, rows, image):
    async def both():
        async with client.opened() as asking:
            asked = asyncio.create_task(asking.post(PREDICT, json=rows(image)))
            assert await asyncio.to_thread(held.started.wait, 30)
            health = await asking.get("/healthz")
            held.release.set()
            return health, await asked

    for answer in asyncio.run(both()):
        assert answer.status_code == 200


def test_a_fault_of_its_own_gives_away_nothing_of_the_request(client, model, rows, image, monkeypatch, caplog):
    def outputs(data, image, heatmaps=False):
        raise ZeroDivisionError("Jane Doe", data)

    monkeypatch.setattr(model, "outputs", outputs)
    answer = client.post(f"{PREDICT}?patient=Jane", json=rows(image))
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error (ZeroDivisionError)"}
    (record,) = [record for record in caplog.records if record.name.startswith("ctcov")]
    line = record.getMessage()
    assert line.startswith("ZeroDivisionError: outputs (")
    assert "app_test.py" in line
    assert record.exc_info is None
    assert "Jane" not in caplog.text
    assert "\n" not in line


def test_a_request_that_the_stopping_server_gives_up_is_told_so(client, held, rows, image):
    """uvicorn cancels what still runs when it has waited long enough."""
    sent = []
    body = [{"type": "http.request", "body": json.dumps(rows(image)).encode(), "more_body": False}]
    scope = {
        "type": "http",
        "method": "POST",
        "path": PREDICT,
        "headers": [(b"host", b"localhost")],
        "query_string": b"",
        "root_path": "",
    }

    async def receive():
        if body:
            return body.pop()
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def cancelled():
        task = asyncio.create_task(client.application(scope, receive, send))
        assert await asyncio.to_thread(held.started.wait, 30)
        task.cancel()
        await task

    asyncio.run(cancelled())
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"]) == {"error": "The server stops: ask again later"}


@pytest.mark.parametrize(
    "body", [b"\x89PNG\r\n\x1a\n" + bytes(999), b"--edge\r\nContent-Disposition: form-data", b"{,", b"a"]
)
def test_what_is_no_json_is_told_the_form(client, body):
    answer = client.post(PREDICT, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("JSON Parse error")
    if body[:1] != b"{":
        assert "base64" in answer.json()["error"]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "GZIP"])
def test_a_compressed_request_is_415(client, rows, image, coding):
    content = gzip.compress(json.dumps(rows(image)).encode())
    answer = client.post(PREDICT, content=content, headers={"content-encoding": coding})
    assert answer.status_code == 415
    assert "uncompressed" in answer.json()["error"]


def test_load_balancers_may_ask_with_head(client):
    assert client.request("HEAD", "/healthz").status_code == 200
