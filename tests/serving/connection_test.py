import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request

from ctcov_tf.serving.connection import while_connected


def request(*messages):
    """Of a client whose messages are these; then it says nothing more."""
    waiting = list(messages)

    async def receive():
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return Request({"type": "http"}, receive)


def test_the_answer_is_given_to_a_client_that_waits():
    async def answer():
        return 3

    assert asyncio.run(while_connected(request(), answer())) == 3


def test_a_fault_is_passed_on():
    async def answer():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(while_connected(request(), answer()))


def test_nothing_is_computed_for_a_client_that_has_gone():
    given_up = []

    async def answer():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(True)
            raise

    gone = request({"type": "http.request"}, {"type": "http.disconnect"})
    with pytest.raises(ClientDisconnect):
        asyncio.run(while_connected(gone, answer()))
    assert given_up == [True]
