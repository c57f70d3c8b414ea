"""`ctcov serve`: opens a model, listens, and stops when it is told to."""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import ipaddress
import logging
import os
import pathlib
import socket
import sys
import threading

import uvicorn

from ctcov_tf import RESEARCH_USE, errors, interruption, shipped
from ctcov_tf.serving import access, app, connections
from ctcov_tf.serving.hosts import Hosts
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.served_model import ServedModel, open_model
from ctcov_tf.serving.settings import Settings
from ctcov_tf.serving.versions import Versions

STOP_SECONDS = 10
"""How long running requests have to end when the server is told to stop."""


KEEP_ALIVE_SECONDS = 65
"""How long an idle connection is kept: longer than proxies keep theirs, so that none is closed under a request."""


class Server(uvicorn.Server):
    """A server that says when and where it is ready."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections, and says so on stdout."""
        await super().startup(sockets)
        print(self._ready, flush=True)


def serve(path: pathlib.Path | None, settings: Settings) -> int:
    """Serves a model until Ctrl-C or SIGTERM; running requests are answered first.

    Args:
      path: a folder of versions, or one model of any kind; None for the shipped models, each by its name without the
        date, of which the page uses the best.
      settings: everything else.

    Returns:
      Exit code: 0.

    Raises:
      CtcovError: the model cannot be opened, the address cannot be listened at, or the token cannot be read.
    """
    _log_to_stderr(settings)
    token = access.token(settings.token_file)
    metrics = Metrics()
    served = {path: settings} if path else _shipped(settings)
    try:
        with interruption.handled(), contextlib.ExitStack() as open_until_stopped:
            listening = open_until_stopped.enter_context(_listen(settings.host, settings.port))
            versions, *others = (
                open_until_stopped.enter_context(versions_of(one, of_one, metrics)) for one, of_one in served.items()
            )
            if token is None and not _is_loopback(listening):
                print(f"warning: {settings.host} is open to the network without a token", file=sys.stderr)
            config = uvicorn.Config(
                app.create(
                    versions,
                    settings.limits,
                    metrics,
                    token,
                    others,
                    Hosts.of(settings.host, settings.allowed_hosts),
                ),
                log_level="warning",
                access_log=False,
                http=connections.bounded_protocol(),
                backlog=connections.BACKLOG,
                ws="none",
                lifespan="on",
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
            Server(config, _ready([versions, *others], listening)).run([listening])
    except KeyboardInterrupt:
        print("stopped")
    return 0


def _shipped(settings: Settings) -> dict[pathlib.Path, Settings]:
    """The shipped models, the best first, with the settings of each."""
    if settings.name or settings.labels:
        raise errors.CtcovError("--name, --label: without a MODEL, which they are for: name one before them")
    found = {model.path: dataclasses.replace(settings, name=shipped.stem(model)) for model in shipped.newest()}
    if not found:
        raise errors.CtcovError(shipped.NONE)
    return found


@contextlib.contextmanager
def versions_of(path: pathlib.Path, settings: Settings, metrics: Metrics) -> Iterator[Versions]:
    """The model's versions, watched as long as the context lasts.

    Args:
      path: a folder of versions, or one model of any kind.
      settings: everything else.
      metrics: where batches are counted.

    Raises:
      CtcovError: the model cannot be opened.
    """

    def opened(found: pathlib.Path, version: int) -> ServedModel:
        return open_model(found, version, settings, metrics)

    versions = Versions(path, settings, opened)
    watcher = threading.Thread(target=versions.watch, args=(settings.poll,), name="versions", daemon=True)
    watcher.start()
    try:
        yield versions
    finally:
        versions.close()
        watcher.join(STOP_SECONDS)


def _log_to_stderr(settings: Settings) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger(__package__).addHandler(handler)
    for library in ("asyncio", "uvicorn.error"):
        logging.getLogger(library).addFilter(connections.Sparse())
    access_log = logging.getLogger("ctcov.access")
    access_log.addHandler(handler)
    access_log.setLevel(logging.INFO if settings.access_log else logging.WARNING)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise errors.CtcovError(f"{host}:{port}: {reason}: choose another --port or --host") from error
    # asyncio leaves Nagle's algorithm on where a socket does not name its protocol, which costs 40 ms an answer
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _is_loopback(listening: socket.socket) -> bool:
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def _ready(models: Sequence[Versions], listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    place = f"[{host}]" if ":" in host else host
    lines = [
        f"serving {one.name}, version {one.latest}, at http://{place}:{port}/v1/models/{one.name}:predict"
        for one in models
    ]
    return "\n".join([*lines, RESEARCH_USE])
