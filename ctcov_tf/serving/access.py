"""Who may ask: whoever brings the token, where there is one."""

from collections.abc import Mapping
import hmac
import os
import pathlib

from starlette.types import ASGIApp, Receive, Scope, Send

from ctcov_tf import errors
from ctcov_tf.serving import answers
from ctcov_tf.serving.settings import TOKEN_VARIABLE

OPEN_PATHS = ("/healthz",)
"""Answered without a token, for whoever watches over the server."""


def token(file: pathlib.Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token that requests must bring.

    Args:
      file: that holds it and nothing else.
      environment: whose `CTCOV_TOKEN` is taken where there is no file.

    Returns:
      The token; None where neither gives one.

    Raises:
      CtcovError: the file cannot be read or is empty, or the token is none that a header can hold.
    """
    place = str(file) if file else TOKEN_VARIABLE
    try:
        found = file.read_text(encoding="utf-8").strip() if file else environment.get(TOKEN_VARIABLE)
    except (OSError, UnicodeDecodeError) as error:
        raise errors.CtcovError(f"{place}: no token can be read: name a text file that holds one") from error
    if found is None:
        return None
    if not found.isascii() or not found.isprintable() or not found or " " in found:
        raise errors.CtcovError(f"{place}: no token: write one of letters, digits and signs, without spaces")
    return found


class TokenGuard:
    """Passes on requests that bring the token as `Authorization: Bearer TOKEN`; others are answered with 401."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers or passes on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if scope["path"] in OPEN_PATHS or hmac.compare_digest(given, self._expected):
            await self._app(scope, receive, send)
        else:
            refused = answers.error(401, "A token is needed: send Authorization: Bearer TOKEN")
            refused.headers["WWW-Authenticate"] = "Bearer"
            await refused(scope, receive, send)
