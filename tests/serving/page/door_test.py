"""What a client can reach of the page without a browser: every route, every function, every way to name a file."""

import asyncio
import io
import itertools
import json
import os
import pathlib
import re
import threading
import time

import httpx
from PIL import Image
import pytest

from benchmarks import hostile_http
from ctcov_tf.serving.page import door, mount
from ctcov_tf.serving.settings import Limits
from tests.fixed_predictor import Fixed, info
from tests.serving.page.conftest import listening

API = "/page/gradio_api"
FORMS = (
    lambda path: {"path": path, "meta": {"_type": "gradio.FileData"}},
    lambda path: {"path": path},
    lambda path: {"url": path, "meta": {"_type": "gradio.FileData"}},
    lambda path: {"path": path, "url": path, "orig_name": "x.png", "is_stream": True},
    lambda path: {"value": {"path": path, "meta": {"_type": "gradio.FileData"}}},
)


class Visitor:
    """A client that keeps its cookies, as a browser does."""

    def __init__(self, address, *, opens=True):
        self.client = httpx.Client(base_url=address, timeout=60)
        if opens:
            assert self.request("GET", "/page/").status_code == 200

    def request(self, method, address, **content):
        return self.client.request(method, address, **content)

    def upload(self, *files):
        return self.request("POST", f"{API}/upload", files=[("files", file) for file in files])

    def join(self, function, data, session="session"):
        return self.request(
            "POST", f"{API}/queue/join", json={"data": data, "fn_index": function, "session_hash": session}
        )


@pytest.fixture
def open_server(serving):
    """Address of a server without a token."""
    with listening(serving(1).client.application) as address:
        yield address


@pytest.fixture
def guarded_server(serving):
    """Address of a server whose token is `secret`."""
    with listening(serving(1, token="secret").client.application) as address:
        yield address


@pytest.fixture
def visitor(open_server):
    return Visitor(open_server)


@pytest.fixture
def logged_in(guarded_server):
    """A visitor who gave the token."""
    visitor = Visitor(guarded_server)
    assert visitor.request("POST", "/page/login", data={"username": "x", "password": "secret"}).status_code == 200
    return visitor


def functions(visitor):
    config = visitor.request("GET", "/page/config").json()
    return [(one["id"], len(one["inputs"])) for one in config["dependencies"]]


@pytest.mark.parametrize("who", ["visitor", "logged_in"])
def test_no_function_takes_a_file_that_its_visitor_did_not_upload(who, request, tmp_path):
    visitor = request.getfixturevalue(who)
    foreign = [*hostile_http.foreign_paths(tmp_path), "", None, 7]
    found = functions(visitor)
    assert len(found) >= 5
    for function, inputs in found:
        forms = itertools.cycle(FORMS)
        for path, form in [*zip(foreign, forms, strict=False), *((foreign[0], form) for form in FORMS)]:
            content = {"data": [form(path)] * max(inputs, 1), "fn_index": function, "session_hash": "a"}
            for call in "queue/join", "run/predict":
                answer = visitor.request("POST", f"{API}/{call}", json=content)
                assert answer.status_code == 403, (function, path, answer.text)
                assert answer.json() == {"error": "Only files that were uploaded to this page may be named"}


def test_another_visitors_file_may_not_be_named(visitor, open_server):
    (ticket,) = visitor.upload(("a.png", b"x")).json()
    other = Visitor(open_server)
    assert other.client.cookies[door.COOKIE] != visitor.client.cookies[door.COOKIE]
    assert other.join(0, [[{"path": ticket}]]).status_code == 403
    assert visitor.join(0, [[{"path": ticket, "meta": {"_type": "gradio.FileData"}}]]).status_code == 200


def test_tickets_and_refusals_name_no_place(visitor):
    answer = visitor.upload(("../../etc/x.png", b"x"))
    (ticket,) = answer.json()
    assert re.fullmatch(r"[0-9a-f]{32}/x\.png", ticket)
    assert visitor.upload(("big", bytes(33 * 2**20))).status_code == 413


@pytest.mark.parametrize("cookie", [None, "../../x", "", "1" * 31, "g" * 32])
def test_without_the_page_nothing_is_called_or_uploaded(open_server, cookie):
    stranger = Visitor(open_server, opens=False)
    if cookie is not None:
        stranger.client.cookies[door.COOKIE] = cookie
    assert stranger.upload(("a.png", b"x")).status_code == 403
    assert stranger.join(0, []).status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b'{"data": [{"path": "x"}', b"\xff\xfe", b"null", b"3"], ids=range(7)
)
def test_a_call_that_is_no_call_is_refused(visitor, body):
    assert 400 <= visitor.request("POST", f"{API}/queue/join", content=body).status_code < 500


def test_gradios_routes_without_the_token(guarded_server):
    stranger = Visitor(guarded_server, opens=False)
    tried = hostile_http.gradio_routes()
    assert len(tried) >= 80
    opened = set()
    for method, path in tried:
        answer = stranger.request(method, f"/page{path}")
        if answer.status_code < 400:
            opened.add(path)
        assert answer.status_code < 500, (method, path)
    assert opened <= {"/", "/theme.css", "/gradio_api/theme.css", "/favicon.ico", "/manifest.json"}


def test_gradios_files_and_components_are_closed_with_the_token_too(visitor):
    for path in (
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/gradio_api/custom_component/0/client/component/index.js",
        "/gradio_api/info",
        "/gradio_api/app_id",
        "/gradio_api/token",
        "/monitoring",
        "/assets/../../../../etc/passwd",
        "/static/..%2f..%2fetc/passwd",
        "/gradio_api/vibe-code/",
    ):
        assert visitor.request("GET", f"/page{path}").status_code in (400, 404), path


def test_a_login_opens_what_a_token_closes(guarded_server):
    visitor = Visitor(guarded_server)
    assert visitor.upload(("a.png", b"x")).status_code == 401
    assert visitor.request("POST", "/page/login", data={"username": "x", "password": "wrong"}).status_code == 400
    assert visitor.request("POST", "/page/login", data={"username": "x", "password": "secret"}).status_code == 200
    assert visitor.upload(("a.png", b"x")).status_code == 200


def test_gradio_itself_refuses_foreign_files_behind_the_door(serving):
    """Were the door left open, Gradio would copy no file that was not uploaded."""
    made = mount.create(serving(1).versions, Limits(), None)
    made.user_middleware.clear()
    given = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    with listening(made) as address:
        content = {"data": [[given]], "fn_index": 0, "session_hash": "a"}
        answer = httpx.post(f"{address}{API}/run/predict", json=content)
    assert answer.status_code >= 400
    assert not list(pathlib.Path(os.environ["GRADIO_TEMP_DIR"]).rglob("hostname"))


def test_a_session_that_has_gone_is_known():
    streams = door.Streams()
    streams.asked("a")
    assert not streams.has_left("a"), "it may come to listen"
    streams.opened("a")
    streams.opened("a")
    streams.closed("a")
    assert not streams.has_left("a")
    streams.closed("a")
    assert streams.has_left("a")
    streams.asked("a")
    assert not streams.has_left("a")


def test_a_body_that_never_ends_is_given_up():
    sent = []

    async def asked():
        inner = door.Door(None, "/page", None, door.Streams(), Limits(seconds=0.1), guarded=False)

        async def never():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        cookie = f"{door.COOKIE}={'1' * 32}".encode()
        scope = {"type": "http", "method": "POST", "path": f"{API}/queue/join", "query_string": b""}
        await inner(scope | {"headers": [(b"cookie", cookie)]}, never, send)

    asyncio.run(asked())
    assert sent[0]["status"] == 408
    assert "took too long" in json.loads(sent[1]["body"])["error"]


def test_a_visitor_who_goes_away_costs_no_further_images(serving):
    """The page is closed while the first of many images is answered."""
    model = Fixed(info(), 0.5)
    answers, slow = model.outputs, threading.Event()

    def outputs(*given, **named):
        slow.wait(0.2)
        return answers(*given, **named)

    model.outputs = outputs
    picture = io.BytesIO()
    Image.new("L", (16, 16)).save(picture, "PNG")
    with listening(serving(1, models={1: model}).client.application) as address:
        visitor = Visitor(address)
        tickets = visitor.upload(*(("a.png", picture.getvalue()) for _ in range(40))).json()
        assert visitor.join(0, [[{"path": ticket} for ticket in tickets]]).status_code == 200
        with visitor.client.stream("GET", f"{API}/queue/data", params={"session_hash": "session"}) as stream:
            for line in stream.iter_lines():
                if "progress" in line and model.runs >= 2:
                    break
        time.sleep(2)
        runs = model.runs
        assert 0 < runs < 30
        time.sleep(1)
        assert model.runs <= runs + 1
