"""A client that waits for its answer, or no longer does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_connected(request: Request, answer: Coroutine[Any, Any, T]) -> T:
    """Computes an answer as long as its client is there.

    Args:
      request: whose content has been read.
      answer: what computes it; cancelled when the client goes.

    Returns:
      The answer.

    Raises:
      ClientDisconnect: the client has gone.
    """
    answering = asyncio.create_task(answer)
    leaving = asyncio.create_task(_leaves(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        answering.cancel()
        leaving.cancel()


async def _leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
