"""The HTTP interface of a served model: TensorFlow Serving's REST addresses, answers and errors."""

import asyncio
from collections.abc import Sequence
from typing import Any

import fastapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import ctcov_tf
from ctcov_tf import errors
from ctcov_tf.serving import addresses, answers, rest
from ctcov_tf.serving.access import TokenGuard
from ctcov_tf.serving.bodies import Bodies
from ctcov_tf.serving.connection import while_connected
from ctcov_tf.serving.hosts import HostGuard, Hosts
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.observer import Observer
from ctcov_tf.serving.page import mount
from ctcov_tf.serving.page.mount import Page
from ctcov_tf.serving.settings import Limits
from ctcov_tf.serving.versions import Versions

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def create(
    versions: Versions,
    limits: Limits,
    metrics: Metrics,
    token: str | None = None,
    others: Sequence[Versions] = (),
    hosts: Hosts = Hosts.of("localhost"),  # noqa: B008
) -> fastapi.FastAPI:
    """Makes the application.

    Args:
      versions: what is served: the model of the page, and the only one that metrics tell the version of.
      limits: what is refused.
      metrics: where requests are counted.
      token: that requests must bring; None if they need none.
      others: more models, by other names.
      hosts: names that requests may call the server by; those of the loopback if not given.

    Returns:
      The ASGI application.
    """
    app = fastapi.FastAPI(title="ctcov", version=ctcov_tf.__version__, openapi_url=None)
    bodies = Bodies(limits)
    by_name = {one.name: one for one in (*others, versions)}
    metrics.watch(queue=lambda: sum(one.waiting for one in by_name.values()), version=lambda: versions.latest)
    if token is not None:
        app.add_middleware(TokenGuard, token=token)
    app.add_middleware(Page, make=lambda: mount.create(versions, limits, token))
    app.add_middleware(HostGuard, hosts=hosts)
    app.add_middleware(Observer, metrics=metrics)

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def measured() -> fastapi.Response:
        return fastapi.Response(metrics.page(), media_type=metrics.content_type)

    @app.api_route("/v1/{path:path}", methods=_METHODS)
    async def model(request: fastapi.Request) -> JSONResponse:
        address = addresses.parse(request.method, request.scope["path"])
        return JSONResponse(await _answer(address, request))

    async def _answer(address: addresses.Address, request: fastapi.Request) -> dict[str, Any]:
        asked = by_name.get(address.name, versions)  # which knows no such name either, and says so
        if address.call == "status":
            return asked.status(address)
        with asked.lease(address) as served:
            if address.call == "metadata":
                return served.metadata(asked.name)
            if address.call not in ("predict", "study"):
                raise rest.other_method(address.call)
            answer = served.predict if address.call == "predict" else served.study
            try:
                async with asyncio.timeout(limits.seconds), bodies.read(request) as body:
                    return await while_connected(request, answer(body))
            except TimeoutError as error:
                raise rest.Refusal(504, f"Timed out after {limits.seconds:g} s: send fewer images at once") from error

    @app.exception_handler(rest.Refusal)
    async def refused(request: fastapi.Request, error: rest.Refusal) -> JSONResponse:
        return answers.error(error.status, str(error))

    @app.exception_handler(errors.CtcovError)
    async def unreadable(request: fastapi.Request, error: errors.CtcovError) -> JSONResponse:
        metrics.refused_images.inc()
        return answers.error(400, errors.one_line(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: fastapi.Request, error: HTTPException) -> JSONResponse:
        return answers.error(error.status_code, f"{error.detail}: {request.method} {request.url.path}")

    return app
