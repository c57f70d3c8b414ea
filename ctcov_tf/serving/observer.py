"""Sees every request pass: counts and times it, logs it where that is asked for, and answers where the code fails.

Nothing that a client sent gets into a log or a metric: no address, no name, no content, and no error's message, which
might repeat them.
"""

import asyncio
import json
import logging
import time
import traceback

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctcov_tf.serving import answers
from ctcov_tf.serving.memory import Leftovers
from ctcov_tf.serving.metrics import Metrics

_REFUSED = 400
_CLIENT_GONE = 499  # as proxies call it; nobody reads it
_CALLS = ("predict", "study", "classify", "regress", "metadata", "healthz", "metrics")
_log = logging.getLogger(__name__)
_access = logging.getLogger("ctcov.access")


class Observer:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._leftovers = Leftovers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            status = status or _CLIENT_GONE
        except asyncio.CancelledError:  # the server stops, and has waited long enough
            if not status:
                await answers.error(503, "The server stops: ask again later")(scope, receive, noting)
        except Exception as error:
            _log.error("%s: %s", type(error).__name__, place_of(error))
            if not status:
                await answers.error(500, f"internal error ({type(error).__name__})")(scope, receive, noting)
        if status >= _REFUSED:
            self._leftovers.give_back()
        seconds = time.perf_counter() - start
        call = _call(scope["path"])
        self._metrics.requests.labels(call, status).inc()
        self._metrics.seconds.labels(call).observe(seconds)
        if _access.isEnabledFor(logging.INFO):
            _access.info(json.dumps({"call": call, "status": status, "ms": round(1e3 * seconds, 1)}))


def _call(path: str) -> str:
    last = path.rpartition(":")[2].rpartition("/")[2]
    if last in _CALLS:
        return last
    if path.startswith("/v1/models/"):
        return "status"
    return "page" if path.startswith("/page/") else "other"


def place_of(error: BaseException) -> str:
    """Where an error arose: functions, files and lines, without what stands there.

    Args:
      error: that was caught.
    """
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
