"""The content of requests, within bounds: of one, and of all that are being answered."""

from collections.abc import AsyncIterator
import contextlib

from starlette.requests import Request

from ctcov_tf.serving.rest import Refusal
from ctcov_tf.serving.settings import Limits


class Bodies:
    """Reads requests' contents and knows what all of them hold."""

    def __init__(self, limits: Limits) -> None:
        """Takes the limits.

        Args:
          limits: most bytes of one request, and of all at once.
        """
        self._limits = limits
        self._held = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Reads a request's content, which counts until the context is left.

        Args:
          request: whose content has not been read.

        Raises:
          Refusal: it is compressed, or it, or all of them together, are above the limit.
        """
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise Refusal(415, f"Content-Encoding {coding[:20]!r} is not taken: send the request uncompressed")
        if int(request.headers.get("content-length", 0)) > self._limits.body:
            raise self._too_large()
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                self._held += len(chunk)
                if len(body) > self._limits.body:
                    raise self._too_large()
                if self._held > self._limits.bodies:
                    raise Refusal(503, "Too many large requests at once: ask again later")
            yield bytes(body)
        finally:
            self._held -= len(body)

    def _too_large(self) -> Refusal:
        return Refusal(413, f"request of more than {self._limits.body} bytes: send fewer images at once")
