"""The error of a request that a server did not answer: one line that names the address and the remedy."""

from ctcov_tf import errors
from ctcov_tf.serving.settings import TOKEN_VARIABLE

TIMED_OUT = 504

AGAIN = frozenset({429, 502, 503})
"""Statuses of a server that is there but has no time now: the same request may be answered later."""

_REMEDIES = {
    400: "send image files that can be read, and inputs and a signature that the model has",
    401: f"set the environment variable {TOKEN_VARIABLE} to the server's token",
    403: "ask with a token that may use this model",
    404: "check the model's name, version and label, and that the server has loaded it",
    409: "ask again later",
    413: "send fewer images at once",
    429: "ask again later, with fewer images at once",
    501: "check that the server is TensorFlow Serving or ctcov serve",
    502: "ask again later, or see whether the server behind the proxy runs",
    503: "see whether the server runs; if it does, it is starting or has too much to do: ask again later",
    TIMED_OUT: "send fewer images at once, or wait longer",
}


class NotAnswered(errors.CtcovError):
    """A request without an answer.

    Attributes:
      status: of HTTP, that of gRPC in its place as TensorFlow Serving translates it; None where no server answered.
      again: whether the same request may be answered later.
      wait: seconds that the server asks to wait before that.
    """

    def __init__(self, message: str, *, status: int | None, again: bool, wait: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.again, self.wait = status, again, wait


def refused(address: str, status: int, reason: str, wait: float = 0.0) -> NotAnswered:
    """The server answers with an error.

    Args:
      address: that was asked.
      status: of HTTP.
      reason: the server's own words.
      wait: seconds that it asks to wait.
    """
    remedy = _REMEDIES.get(status, "see the server's log" if status >= 500 else "check the address")
    said = f"status {status}: {_one_line(reason)}" if reason else f"status {status}"
    return NotAnswered(f"{address}: refused ({said}): {remedy}", status=status, again=status in AGAIN, wait=wait)


def unreachable(address: str, reason: str) -> NotAnswered:
    """There is no connection.

    Args:
      address: that was asked.
      reason: what the network says.
    """
    return NotAnswered(
        f"{address}: cannot be reached ({_one_line(reason)}): check host, port and scheme, and that the server runs",
        status=None,
        again=True,
    )


def timed_out(address: str, seconds: float) -> NotAnswered:
    """The server takes too long. It may still be at work, so that asking again would only add to that.

    Args:
      address: that was asked.
      seconds: that were waited.
    """
    return NotAnswered(
        f"{address}: no answer within {seconds:g} s: {_REMEDIES[TIMED_OUT]}", status=TIMED_OUT, again=False
    )


def another_answer(address: str, what: str) -> NotAnswered:
    """The answer has not TensorFlow Serving's form.

    Args:
      address: that was asked.
      what: is wrong with it.
    """
    return NotAnswered(
        f"{address}: not an answer of TensorFlow Serving ({what}): check the address", status=None, again=False
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
