"""The HTTP interface of a served model: TensorFlow Serving's REST addresses, answers and errors."""

import asyncio
from concurrent import futures
import functools
from typing import Any

import fastapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import ctcov_tf
from ctcov_tf import errors
from ctcov_tf.serving import rest
from ctcov_tf.serving.served_model import ServedModel

MAX_BODY = 32 * 2**20
"""Requests of more bytes are refused: room for 24 MB of image files, a third more in base64."""

_MODEL = "/v1/models/{name}"
_VERSION = _MODEL + "/versions/{version:int}"


def create(model: ServedModel, worker: futures.Executor, max_body: int = MAX_BODY) -> fastapi.FastAPI:
    """Makes the application.

    Args:
      model: what is served.
      worker: where the model runs; of one thread, since a model answers one image at a time.
      max_body: longest request, bytes.

    Returns:
      The ASGI application.
    """
    app = fastapi.FastAPI(title="ctcov", version=ctcov_tf.__version__, openapi_url=None)

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(_MODEL)
    @app.get(_VERSION)
    async def status(request: fastapi.Request) -> dict[str, Any]:
        return model.status(**request.path_params)

    @app.get(f"{_MODEL}/metadata")
    @app.get(f"{_VERSION}/metadata")
    async def metadata(request: fastapi.Request) -> dict[str, Any]:
        return model.metadata(**request.path_params)

    @app.post(f"{_MODEL}:predict")
    @app.post(f"{_VERSION}:predict")
    async def predict(request: fastapi.Request) -> JSONResponse:
        body = await _body(request, max_body)
        answer = functools.partial(model.predict, body, **request.path_params)
        return JSONResponse(await asyncio.get_running_loop().run_in_executor(worker, answer))

    @app.exception_handler(rest.Refusal)
    async def refused(request: fastapi.Request, error: rest.Refusal) -> JSONResponse:
        return _error(error.status, str(error))

    @app.exception_handler(errors.CtcovError)
    async def unreadable(request: fastapi.Request, error: errors.CtcovError) -> JSONResponse:
        return _error(400, errors.one_line(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: fastapi.Request, error: HTTPException) -> JSONResponse:
        if request.url.path.startswith("/v1/"):
            return _error(400, f"Malformed request: {request.method} {request.url.path}")
        return _error(error.status_code, f"{error.detail}: {request.method} {request.url.path}")

    @app.exception_handler(Exception)
    async def failed(request: fastapi.Request, error: Exception) -> JSONResponse:
        return _error(500, f"internal error ({type(error).__name__})")

    return app


async def _body(request: fastapi.Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise rest.Refusal(413, f"request of more than {limit} bytes: send fewer images at once")
    return bytes(body)


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
