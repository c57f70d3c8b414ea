"""Connections that wait for nothing, to a real server in this process."""

import asyncio
import contextlib
import logging
import socket
import threading
import time

import fastapi
import httpx
import pytest
import uvicorn

from ctcov_tf.serving import connections


@contextlib.contextmanager
def listening(protocol):
    app = fastapi.FastAPI()
    release = threading.Event()

    @app.get("/healthz")
    async def health():
        return {}

    @app.get("/slow")
    async def slow():
        await asyncio.to_thread(release.wait, 60)
        return {}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=protocol, log_level="warning", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1], release
        finally:
            release.set()
            server.should_exit = True
            thread.join()


def protocol(most):
    return type("Small", (connections.BoundedProtocol,), {"most": most})


def closed(connection, seconds=20):
    """Whether the other end closes a connection."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_idle_connections_make_room_oldest_first_and_answers_go_on():
    with listening(protocol(20)) as (port, _), contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200
        assert all(closed(connection) for connection in idle[:35])
        assert not closed(idle[-1], 0.1)


def test_a_connection_that_is_being_answered_keeps_its_place():
    with listening(protocol(4)) as (port, release), contextlib.ExitStack() as stack:
        asking = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        asking.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.5)
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200
        release.set()
        asking.settimeout(30)
        assert asking.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: lo"],
    ids=["nothing", "half a line", "a second request that stops"],
)
def test_headers_that_do_not_end_are_not_waited_for(sent, monkeypatch):
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)
    with listening(protocol(20)) as (port, _), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        connection.settimeout(20)
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while connection.recv(1 << 16):
                pass
        assert time.monotonic() - start < 15


def test_the_limit_leaves_descriptors_for_the_rest(monkeypatch):
    for descriptors, most in (1024, 768), (10**6, connections.MOST), (300, connections.BACKLOG):
        monkeypatch.setattr(connections.resource, "getrlimit", lambda _, soft=descriptors: (soft, soft))
        assert connections.most_connections() == most


def test_a_message_is_logged_once_a_while(caplog, monkeypatch):
    logger = logging.getLogger("a.test.of.sparse")
    sparse = connections.Sparse()
    logger.addFilter(sparse)
    try:
        for number in range(1000):
            logger.error("the same %d", number)
            logger.error(f"another {number}")
    finally:
        logger.removeFilter(sparse)
    assert sum(record.msg == "the same %d" for record in caplog.records) == 1
    assert len(caplog.records) == connections.LOG_MESSAGES
    monkeypatch.setattr(connections, "LOG_SECONDS", 0.0)
    assert sparse.filter(caplog.records[0])
