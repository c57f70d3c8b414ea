"""The door of the page: which of Gradio's routes are open, and which files a visitor may name.

Gradio copies any file that a client names into its own folder, and hands it out. Here no name of a client reaches it: a
visitor uploads files to the door, gets tickets, and may bring only these back. A visitor is a random cookie.
"""

import asyncio
from collections.abc import Callable
import dataclasses
import json
import re
import secrets
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctcov_tf.serving import answers
from ctcov_tf.serving.bodies import Bodies
from ctcov_tf.serving.page.uploads import TooMuch, Uploads
from ctcov_tf.serving.rest import Refusal
from ctcov_tf.serving.settings import Limits

API = "/gradio_api"
COOKIE = "ctcov_visitor"

_SHOWN = re.compile(r"/|/(assets|static)/[\w./@+~-]+|(/gradio_api)?/theme\.css|/favicon\.ico|/manifest\.json")
"""Read without the token: the page itself, which then asks for it."""

_READ = re.compile(r"/config/?|/logout|/gradio_api/(startup-events|heartbeat/[\w-]+|queue/data)")
_LOGIN = re.compile(r"/login/?")
_CALLED = re.compile(r"/gradio_api/(queue/join|run/\w+)/?")
_UPLOADED = re.compile(r"/gradio_api/upload/?")

_JSON_BYTES = 4 << 20
"""Longest call of a function, bytes: 2,000 tickets and what is said of each."""

_LOGIN_BYTES = 1 << 16

_FORM_BYTES = 1 << 20
"""What a form needs beside the content of its files, bytes."""


class Streams:
    """Which sessions still listen for their answers."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._left: set[str] = set()

    def has_left(self, session: str) -> bool:
        """Whether a session asked for something, listened, and has gone."""
        return session in self._left

    def asked(self, session: str) -> None:
        """Notes that a session asks for something, and may come to listen for it only later."""
        self._left.discard(session)

    def opened(self, session: str) -> None:
        """Notes that a session listens."""
        self._open[session] = self._open.get(session, 0) + 1
        self._left.discard(session)

    def closed(self, session: str) -> None:
        """Notes that a session listens no longer."""
        self._open[session] -= 1
        if not self._open[session]:
            del self._open[session]
            if len(self._left) > 10_000:
                self._left.clear()
            self._left.add(session)


class Door:
    """Passes on to Gradio what is allowed, and takes uploads itself."""

    def __init__(
        self, gradio: ASGIApp, path: str, uploads: Uploads, streams: Streams, limits: Limits, *, guarded: bool
    ) -> None:
        """Wraps Gradio's application.

        Args:
          gradio: what the page is mounted in.
          path: at which, without a slash at its end.
          uploads: where files are kept.
          streams: is told who listens.
          limits: most bytes and files, and longest time.
          guarded: whether visitors have to log in.
        """
        self._gradio, self._path = gradio, path
        self._uploads, self._streams, self._limits, self._guarded = uploads, streams, limits, guarded
        self._bodies = Bodies(dataclasses.replace(limits, body=_JSON_BYTES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers or passes on one request."""
        try:
            await self._answer(scope, receive, send)
        except Refusal as error:
            await answers.error(error.status, str(error))(scope, receive, send)
        except TooMuch as error:
            await answers.error(413, str(error))(scope, receive, send)
        except TimeoutError:
            await answers.error(408, "The request took too long to arrive")(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["path"].removeprefix(self._path)
        reads, writes = scope["method"] in ("GET", "HEAD"), scope["method"] == "POST"
        if ".." in path or "\\" in path:
            raise Refusal(404, "No such page")
        if (reads and _SHOWN.fullmatch(path)) or (writes and _LOGIN.fullmatch(path)):
            greeted = send if _visitor(request) else _greeting(send, self._path)
            await self._gradio(scope, _counted(receive, _LOGIN_BYTES), greeted)
            return
        called, uploaded = writes and _CALLED.fullmatch(path), writes and _UPLOADED.fullmatch(path)
        if not (called or uploaded or (reads and _READ.fullmatch(path))):
            raise Refusal(404, "No such page")
        if self._guarded and not await self._is_logged_in(scope):
            raise Refusal(401, "Log in first: open the page and give the server's token as the password")
        if not (called or uploaded):
            await self._listen(request, path, send)
            return
        visitor = _visitor(request)
        if not visitor:
            raise Refusal(403, "Open the page first: only its own visitors may call its functions")
        if uploaded:
            await self._upload(request, visitor, send)
        else:
            await self._call(request, visitor, send)

    async def _listen(self, request: Request, path: str, send: Send) -> None:
        session = request.query_params.get("session_hash", "") if path == f"{API}/queue/data" else ""
        if not session:
            await self._gradio(request.scope, request.receive, send)
            return
        self._streams.opened(session)
        try:
            await self._gradio(request.scope, request.receive, send)
        finally:
            self._streams.closed(session)

    async def _upload(self, request: Request, visitor: str, send: Send) -> None:
        room = self._uploads.room_for(visitor) + _FORM_BYTES
        if int(request.headers.get("content-length") or 0) > room:
            raise TooMuch("more bytes of files than a visitor may leave: send fewer at once")
        form = Request(request.scope, _counted(request.receive, room))
        async with asyncio.timeout(self._limits.seconds * 10):
            try:
                content = await form.form(max_files=self._limits.slices, max_fields=10)
            except HTTPException as error:
                raise Refusal(error.status_code, "The upload is no form of files, or of too many") from error
        try:
            tickets = []
            for file in content.getlist("files"):
                if isinstance(file, UploadFile):
                    tickets.append(await self._keep(visitor, file))
        finally:
            await content.close()
        await JSONResponse(tickets)(request.scope, request.receive, send)

    async def _keep(self, visitor: str, file: UploadFile) -> str:
        if (file.size or 0) > self._limits.body:
            raise TooMuch(f"a file of more than {self._limits.body} bytes")
        content = await file.read()
        return await asyncio.to_thread(self._uploads.keep, visitor, file.filename or "", content)

    async def _call(self, request: Request, visitor: str, send: Send) -> None:
        """Passes on the call of a function, once every file in it is one of the visitor's own."""
        async with asyncio.timeout(self._limits.seconds), self._bodies.read(request) as body:
            pass
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "The call is no JSON") from error
        self._check_files(content, visitor)
        if isinstance(content, dict) and isinstance(content.get("session_hash"), str):
            self._streams.asked(content["session_hash"])
        passed_on = json.dumps(content).encode()
        headers = [
            (name, value)
            for name, value in request.scope["headers"]
            if name not in (b"content-length", b"transfer-encoding")
        ]
        scope = {**request.scope, "headers": [*headers, (b"content-length", str(len(passed_on)).encode())]}
        await self._gradio(scope, _once(passed_on, request.receive), send)

    def _check_files(self, content: Any, visitor: str) -> None:
        """Refuses files that are not the visitor's, and takes away what makes Gradio look for the others."""
        left = [content]
        while left:
            one = left.pop()
            if isinstance(one, list):
                left += one
            elif isinstance(one, dict):
                left += one.values()
                if {"path", "url", "meta", "is_stream"} & one.keys():
                    if not self._uploads.owns(visitor, one.get("path")):
                        raise Refusal(403, "Only files that were uploaded to this page may be named")
                    ticket = one["path"]
                    one.clear()
                    one["path"] = ticket

    async def _is_logged_in(self, scope: Scope) -> bool:
        """Whether Gradio knows the visitor's login."""
        path = f"{self._path}{API}/login_check"
        asked = {**scope, "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        await self._gradio(asked, _once(b"", None), noting)
        return status == 200


def _visitor(request: Request) -> str:
    """The visitor's cookie; empty where there is none."""
    found = request.cookies.get(COOKIE, "")
    return found if re.fullmatch("[0-9a-f]{32}", found) else ""


def _greeting(send: Send, path: str) -> Send:
    """Gives a visitor a cookie with the answer."""
    cookie = f"{COOKIE}={secrets.token_hex(16)}; Path={path}; HttpOnly; SameSite=Strict"

    async def greeting(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie.encode())]
        await send(message)

    return greeting


def _counted(receive: Receive, most: int) -> Receive:
    """Receives as long as the content stays below a number of bytes."""
    got = 0

    async def counted() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise TooMuch("more bytes of files than a visitor may leave: send fewer at once")
        return message

    return counted


def _once(body: bytes, after: Callable | None) -> Receive:
    """Receives a content, and then what comes after it."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await after() if after else {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
