"""Requests that a server must survive: foreign hosts and files, and what is no HTTP."""

import base64
from collections.abc import Iterator
import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import socket
import threading
from typing import Any

HOST = "127.0.0.1"
PUBLIC = ("/", "/theme.css", "/gradio_api/theme.css", "/favicon.ico", "/manifest.json")
"""Read without the token: the page that asks for it."""

FILE_ROUTES = (
    "/page/gradio_api/file=/etc/passwd",
    "/page/gradio_api/file=/proc/self/environ",
    "/page/gradio_api/file=../../../../etc/passwd",
    "/page/gradio_api/file/etc/passwd",
    "/page/gradio_api/proxy=http://127.0.0.1:1/",
    "/page/file=/etc/passwd",
    "/page/assets/../../../../../../etc/passwd",
    "/page/static/..%2f..%2f..%2fetc/passwd",
    "/page/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/page/gradio_api/custom_component/0/client/component/..%2f..%2fetc%2fpasswd",
    "/page//etc/passwd",
    "/page/gradio_api/stream/x/x/x/playlist-file",
)

FOREIGN_HOSTS: tuple[dict[str, str], ...] = (
    {"host": "evil.example"},
    {"host": "localhost.evil.example"},
    {"host": "evil.example@localhost"},
    {"host": "10.0.0.5:8501"},
    {"host": ""},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost.evil.example"},
)

Answer = tuple[int, dict[str, str], bytes]


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 60,
) -> Answer:
    """Sends a request as it is written, and reads the beginning of the answer.

    Returns:
      Status, headers in lower case, and at most a megabyte of the content.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True)
        given = {"host": f"{HOST}:{port}"} | (headers or {})
        for name, value in given.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        streams = "event-stream" in answer.headers.get("content-type", "")
        content = b"" if streams else answer.read(1 << 20)
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, content


class Asking:
    """A request that is being answered."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        self._status = 0
        self._thread = threading.Thread(target=self._ask, args=(port, path, body))
        self._thread.start()

    def _ask(self, port: int, path: str, body: bytes) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._status, _, _ = ask(port, "POST", path, body)

    def status(self) -> int:
        """Waits for the answer's status; 0 where there was none."""
        self._thread.join()
        return self._status


@contextlib.contextmanager
def asking(port: int, path: str, body: bytes) -> Iterator[Asking]:
    """Asks in the background."""
    yield Asking(port, path, body)


def connect(port: int, timeout: float = 20) -> socket.socket:
    """A connection without a request."""
    return socket.create_connection((HOST, port), timeout)


def send(port: int, sent: list[bytes]) -> int | None:
    """Sends bytes and reads the first status that comes back; None where none does within five seconds."""
    with contextlib.suppress(OSError), connect(port, 5) as connection:
        for one in sent:
            connection.sendall(one)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        found = re.match(rb"HTTP/1.1 (\d+)", connection.recv(1 << 16))
        return int(found[1]) if found else None
    return None


def image_request(content: bytes) -> bytes:
    """A request to predict, or of a study, with one file."""
    return json.dumps({"instances": [{"b64": base64.b64encode(content).decode()}]}).encode()


def gradio_routes() -> list[tuple[str, str]]:
    """Method and path of each of Gradio's routes, with something in the place of parameters."""
    import gradio

    found, left = set(), [gradio.routes.App.create_app(gradio.Blocks())]
    while left:
        for route in left.pop().routes:
            if included := getattr(route, "original_router", None):
                left.append(included)
            elif path := getattr(route, "path", ""):
                filled = re.sub(r"{[^}]*}", "x", path)
                found |= {(method, filled) for method in getattr(route, "methods", None) or ("GET",)}
    return sorted(found)


def foreign_paths(folder: pathlib.Path) -> list[Any]:
    """Names of files that no visitor uploaded, in 16 forms.

    Args:
      folder: to put links and a pipe in.
    """
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "zero").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    return [
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "/etc/../etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x.png",
        "https://evil.example/x.png",
        "~/.ssh/id_rsa",
        "setup.cfg",
        "../../../../etc/passwd",
        str(folder / "link"),
        str(folder / "zero"),
        str(folder / "pipe"),
        "0" * 32 + "/x.png",
        ["/etc/passwd"],
    ]


def abuses(path: str) -> Iterator[tuple[str, list[bytes]]]:
    """What is no HTTP, or too much of it, by what it is; what begins with `bad` must not be answered with 200.

    Args:
      path: of a model.
    """
    good = f"Host: {HOST}\r\n".encode()
    post = f"POST {path} HTTP/1.1\r\n".encode() + good
    body = b'{"instances": []}'
    yield "nothing", [b""]
    for number, garbage in enumerate(
        (b"\x00" * 1000, b"\x16\x03\x01\x02\x00\x01\x00", b"GET", b"\r\n" * 5000, b"\xff" * 70_000, b"SSH-2.0-x\r\n")
    ):
        yield f"bad bytes {number}", [garbage]
    for line in (
        b"GET / HTTP/9.9\r\n",
        b"GET  /healthz HTTP/1.1\r\n",
        b"GET /healthz\r\n",
        b"get /healthz HTTP/1.1\r\n",
        b"G\x00T /healthz HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n",
        b"TRACE /healthz HTTP/1.1\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n",
        b"GET /v1/../../etc/passwd HTTP/1.1\r\n",
        b"GET /v1/models/%00 HTTP/1.1\r\n",
        b"GET /v1/models/%ff%fe HTTP/1.1\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
    ):
        yield f"bad line {line[:24]!r}", [line + good + b"\r\n"]
    for name, header in {
        "no host": b"X: y\r\n",
        "two hosts": good + b"Host: evil.example\r\n",
        "a huge header": good + b"X: " + b"a" * 1_000_000 + b"\r\n",
        "many headers": good + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)),
        "a folded header": good + b"X: a\r\n b\r\n",
        "a header without a colon": good + b"nonsense\r\n",
        "a header with a zero": good + b"X: a\x00b\r\n",
        "upgrade": good + b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    }.items():
        kind = name if name in ("upgrade", "a folded header") else f"bad {name}"
        yield kind, [b"GET /healthz HTTP/1.1\r\n" + header + b"\r\n"]
    for length in (b"-1", b"1e3", b"0x10", b"18446744073709551616", b"99999999999", b"", b"1, 2", b"+5", b" 5 5"):
        yield f"bad length {length!r}", [post + b"Content-Length: " + length + b"\r\n\r\n" + body]
    yield "bad two lengths", [post + b"Content-Length: 5\r\nContent-Length: 17\r\n\r\n" + body]
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "bad length and chunks", [post + both + b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n"]
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
    for name, chunks in {
        "no number": b"zz\r\nabc\r\n",
        "negative": b"-5\r\nabc\r\n",
        "huge": b"ffffffffffffffff\r\nabc",
        "long extension": b"1;" + b"x" * 200_000 + b"\r\na\r\n",
        "cut": b"5\r\nab",
        "trailers": b"0\r\n" + b"X: y\r\n" * 20_000,
    }.items():
        yield f"bad chunks, {name}", [chunked + chunks]
    yield "bad chunks without end", [chunked] + [b"100000\r\n" + b"a" * 0x100000 + b"\r\n"] * 48
    bomb = gzip.compress(bytes(200 << 20))
    for coding in (b"gzip", b"deflate", b"br", b"identity, gzip"):
        head = post + b"Content-Encoding: " + coding + b"\r\nContent-Length: " + str(len(bomb)).encode() + b"\r\n\r\n"
        yield f"bad compressed bomb, {coding.decode()}", [head, bomb]
    yield "a hundred requests in one go", [(b"GET /healthz HTTP/1.1\r\n" + good + b"\r\n") * 100]
    yield "a thousand requests for nothing", [(b"GET /x HTTP/1.1\r\n" + good + b"\r\n") * 1000]
    for name, content in {
        "deep": b"[" * 1_000_000,
        "wide": b"[" + b"1," * 2_000_000 + b"1]",
        "long number": b'{"instances": [' + b"9" * 1_000_000 + b"]}",
        "long text": b'{"instances": ["' + b"a" * 20_000_000 + b'"]}',
        "no text": b"\xff\xfe" * 1000,
    }.items():
        yield f"bad json, {name}", [post + b"Content-Length: " + str(len(content)).encode() + b"\r\n\r\n" + content]


def upload_and_ask(port: int, image: bytes) -> None:
    """What the page does with one image: a visit, an upload, a call of the function, its answer."""
    _, headers, _ = ask(port, "GET", "/page/theme.css")
    cookie = re.findall(r"ctcov_visitor=\w+", headers.get("set-cookie", ""))[0]
    edge = b"b0undary"
    form = b'--%s\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n%s\r\n--%s--\r\n'
    given = {"cookie": cookie, "content-type": f"multipart/form-data; boundary={edge.decode()}"}
    status, _, body = ask(port, "POST", "/page/gradio_api/upload", form % (edge, image, edge), given)
    assert status == 200, body
    (ticket,) = json.loads(body)
    session = cookie[-11:]
    call = {"data": [[{"path": ticket, "meta": {"_type": "gradio.FileData"}}]], "fn_index": 0, "session_hash": session}
    given["content-type"] = "application/json"
    status, _, body = ask(port, "POST", "/page/gradio_api/queue/join", json.dumps(call).encode(), given)
    assert status == 200, body
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=60)) as connection:
        connection.request("GET", f"/page/gradio_api/queue/data?session_hash={session}", headers={"cookie": cookie})
        answer = connection.getresponse()
        while line := answer.readline():
            if b"process_completed" in line:
                assert b'"success":true' in line, line[:500]
                return
    raise AssertionError("the page gave no answer")
