"""`ctcov serve`: opens a model, listens, and stops when it is told to."""

from concurrent import futures
import os
import pathlib
import signal
import socket

import uvicorn

from ctcov_tf import RESEARCH_USE, errors, predictor
from ctcov_tf.serving import app
from ctcov_tf.serving.served_model import ServedModel

MAX_CONNECTIONS = 64
"""More connections at once are refused with status 503."""

STOP_SECONDS = 10
"""How long running requests have to end when the server is told to stop."""


class Server(uvicorn.Server):
    """A server that says when and where it is ready."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections, and says so on stdout."""
        await super().startup(sockets)
        print(self._ready, flush=True)


def serve(path: pathlib.Path, *, host: str, port: int, name: str | None = None) -> int:
    """Serves a model until Ctrl-C or SIGTERM; running requests are answered first.

    Args:
      path: what `predictor.load` opens.
      host: address to listen at.
      port: port to listen at; 0 takes a free one.
      name: of the model in addresses; its own if None.

    Returns:
      Exit code: 0.

    Raises:
      CtcovError: the model cannot be opened, or the address cannot be listened at.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        with _listen(host, port) as listening, futures.ThreadPoolExecutor(1, "model") as worker:
            model = ServedModel(predictor.load(path), name)
            worker.submit(model.warm_up).result()
            config = uvicorn.Config(
                app.create(model, worker),
                log_level="warning",
                access_log=False,
                http="h11",
                ws="none",
                lifespan="off",
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
            Server(config, _ready(model, listening)).run([listening])
    except KeyboardInterrupt:
        print("stopped")
    return 0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise errors.CtcovError(f"{host}:{port}: {reason}: choose another --port or --host") from error


def _ready(model: ServedModel, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    place = f"[{host}]" if ":" in host else host
    return (
        f"serving {model.name}, version {model.version}, at http://{place}:{port}/v1/models/{model.name}:predict\n"
        f"{RESEARCH_USE}"
    )
