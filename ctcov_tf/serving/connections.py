"""Connections within bounds: as many as there are descriptors for, and none that only waits.

uvicorn accepts every connection and has no limit on the time in which a request's headers arrive: some thousand sockets
that send nothing would take all descriptors of the process.
"""

import asyncio
import logging
import resource
import time
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

RESERVE = 192
"""Descriptors that are kept for models, uploads, logs and the listening socket."""

MOST = 1000
"""Connections at once, where descriptors allow for more."""

BACKLOG = 64
"""Connections that are accepted in one go, before the oldest idle ones are closed."""

HEADER_SECONDS = 15.0
"""How long the headers of a request may take, from the connection or from their first byte."""

LOG_SECONDS = 60.0
"""How long a message of the server's libraries is not repeated."""

LOG_MESSAGES = 20
"""Messages that differ, in that time."""


def most_connections() -> int:
    """As many connections at once as the process's descriptors leave room for, at most `MOST`."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MOST
    return max(BACKLOG, min(MOST, descriptors - RESERVE - BACKLOG))


def bounded_protocol() -> type["BoundedProtocol"]:
    """The protocol of a server in this process, with the limit of its descriptors."""
    return type("BoundedProtocol", (BoundedProtocol,), {"most": most_connections()})


class BoundedProtocol(H11Protocol):
    """A connection that is closed when its headers take too long, or when others need its place.

    A new connection above the limit takes the place of the one that has been idle longest; where all are being
    answered, it is closed itself.
    """

    most = MOST
    """Connections at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a place."""
        super().connection_made(transport)
        self._idle_since = time.monotonic()
        self._headers_due: asyncio.TimerHandle | None = None
        self._await_headers()
        if len(self.connections) > self.most:
            others = (cast(BoundedProtocol, one) for one in self.connections if one is not self)
            idle = min((one for one in others if one.is_idle), key=lambda one: one._idle_since, default=self)
            idle._give_up_place()

    @property
    def is_idle(self) -> bool:
        """Whether no request of this connection is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Takes what came; headers that have begun are to end in time."""
        super().data_received(data)
        if not self.is_idle:
            self._cancel_headers_due()
        elif self._headers_due is None:
            self._await_headers()

    def on_response_complete(self) -> None:
        """Begins to be idle."""
        super().on_response_complete()
        if self.is_idle:
            self._idle_since = time.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives its place back."""
        self._cancel_headers_due()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        self._headers_due = self.loop.call_later(HEADER_SECONDS, self._headers_late)

    def _headers_late(self) -> None:
        self._headers_due = None
        if self.is_idle:
            self.transport.abort()

    def _cancel_headers_due(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up_place(self) -> None:
        self.connections.discard(self)  # it counts no more, although the loop closes it a moment later
        self._cancel_headers_due()
        self.transport.abort()


class Sparse(logging.Filter):
    """Lets each message of a logger pass once in `LOG_SECONDS`, and `LOG_MESSAGES` of all that differ.

    What a client can cause does not fill the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: set[Any] = set()
        self._since = -LOG_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a message is to be logged."""
        now = time.monotonic()
        if now - self._since >= LOG_SECONDS:
            self._since = now
            self._passed.clear()
        if record.msg in self._passed or len(self._passed) >= LOG_MESSAGES:
            return False
        self._passed.add(record.msg)
        return True
