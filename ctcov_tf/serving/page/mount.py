"""The page at `/` of a server: made when it is first asked for, so that nothing else waits for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
import hmac
import os
import pathlib

import fastapi
from fastapi.responses import RedirectResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctcov_tf import errors
from ctcov_tf.serving import answers
from ctcov_tf.serving.page.door import Door, Streams
from ctcov_tf.serving.page.uploads import Uploads
from ctcov_tf.serving.settings import Limits
from ctcov_tf.serving.versions import Versions

PATH = "/page"

SESSIONS = 100
"""Of how many sessions the answers are kept; the oldest go first."""

_POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'none'"
"""Nothing is fetched from another host, whatever the library's page names."""

_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Page:
    """Passes on what is not for the page; sends who asks for `/` there."""

    def __init__(self, app: ASGIApp, make: Callable[[], fastapi.FastAPI]) -> None:
        """Wraps an application.

        Args:
          app: that answers everything else.
          make: makes the page's application; called once, when it is first asked for.
        """
        self._app, self._make = app, make
        self._page: ASGIApp | None = None
        self._making = asyncio.Lock()
        self._open = contextlib.AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers or passes on one request; ends the page with the application."""
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._open.aclose()
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(f"{PATH}/")(scope, receive, send)
        elif scope["path"].startswith(f"{PATH}/"):
            try:
                page = await self._opened()
            except errors.CtcovError as error:
                await answers.error(404, str(error))(scope, receive, send)
                return
            await page(scope, receive, _adding_headers(send))
        else:
            await self._app(scope, receive, send)

    async def _opened(self) -> ASGIApp:
        async with self._making:
            if self._page is None:
                made = await asyncio.to_thread(self._make)
                await self._open.enter_async_context(made.router.lifespan_context(made))
                self._page = made
            return self._page


def create(versions: Versions, limits: Limits, token: str | None) -> fastapi.FastAPI:
    """Makes the page's application.

    Args:
      versions: what is served.
      limits: most bytes of a file, most files.
      token: that is asked for as a password; None for none.

    Raises:
      CtcovError: Gradio is not installed.
    """
    errors.need("gradio", "the page needs it: install it with pip install 'ctcov[page]'")
    uploads = Uploads(limits)
    os.environ["GRADIO_TEMP_DIR"] = str(uploads.folder / "gradio")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr

    from ctcov_tf.serving.page import blocks

    streams = Streams()
    page = blocks.create(versions, limits, uploads, streams)
    page.has_launched = True  # Gradio looks at the places of files only where this is set, and mounting does not
    page.state_session_capacity = SESSIONS

    @contextlib.asynccontextmanager
    async def removing_uploads(app: fastapi.FastAPI) -> AsyncIterator[None]:
        yield
        uploads.close()

    app = fastapi.FastAPI(openapi_url=None, lifespan=removing_uploads)
    app.add_middleware(CORSMiddleware)  # allows nobody; without it Gradio allows every origin
    app.add_middleware(Door, path=PATH, uploads=uploads, streams=streams, limits=limits, guarded=token is not None)
    return gr.mount_gradio_app(
        app,
        page,
        PATH,
        auth=None if token is None else lambda user, password: hmac.compare_digest(password.encode(), token.encode()),
        auth_message="The password is the server's token; any name will do.",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=limits.body,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        css_paths=pathlib.Path(__file__).with_name("page.css"),
        app_kwargs={"openapi_url": None},
    )


def _adding_headers(send: Send) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await send(message)

    return adding
