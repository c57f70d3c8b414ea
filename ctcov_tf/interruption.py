"""Ctrl-C and SIGTERM: noted by a handler, and taken where nothing is lost.

Python raises KeyboardInterrupt wherever the process happens to be. Inside a destructor it drops the exception again,
and TensorFlow runs destructors all the time: the user presses Ctrl-C, and training goes on. So the signal is noted
first. Work in steps, such as training, reads the note between two of them; all other work is interrupted at once, or
at its next look at the note (`check`) where the signal came inside a destructor. A second signal ends the process.
"""

from collections.abc import Iterable, Iterator
import contextlib
import os
import signal
import sys
import threading
import types
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_LATER = b"\ninterrupted: stops after this step; once more, and it ends at once\n"

_handling = False
_received: int | None = None  # number of the signal
_waits = 0  # how many `between_steps` are open


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Takes SIGINT and SIGTERM while the context lasts.

    Within another such context, and outside the main thread, nothing changes. A signal that is ignored, as SIGINT in
    the background of a shell, stays so. The note of a signal ends with the context.
    """
    global _handling, _received
    if _handling or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    taken = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    _handling = True
    for number in taken:
        signal.signal(number, _take)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
        _handling, _received = False, None


@contextlib.contextmanager
def between_steps() -> Iterator[None]:
    """While the context lasts, a signal waits for the next `check`, at the latest for the end of the context.

    Raises:
      KeyboardInterrupt: a signal came after the last `check`.
    """
    global _waits
    _waits += 1
    try:
        yield
    finally:
        _waits -= 1
    check()


def check() -> None:
    """To be called between two steps of long work; outside the main thread nothing happens.

    Raises:
      KeyboardInterrupt: there was a signal.
    """
    if _received is not None and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt


def steps(items: Iterable[T]) -> Iterator[T]:
    """Gives the items one by one, and looks for a signal before each.

    Args:
      items: of any kind.

    Yields:
      The items.

    Raises:
      KeyboardInterrupt: there was a signal.
    """
    for item in items:
        check()
        yield item


def received() -> bool:
    """Whether there was a signal in the context of `handled` that is open."""
    return _received is not None


def exit_code() -> int:
    """What a shell reports of a process that the signal ended: 130 for SIGINT, which is meant where there was none."""
    return 128 + (signal.SIGINT if _received is None else _received)


def _take(number: int, frame: types.FrameType | None) -> None:
    """The handler: notes the signal, and raises KeyboardInterrupt where it need not wait and would not be dropped."""
    global _received
    if _received is not None:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _received = number
    if _waits and sys.__stderr__:
        with contextlib.suppress(OSError, ValueError):
            os.write(sys.__stderr__.fileno(), _LATER)
    if not _waits and not _in_destructor(frame):
        raise KeyboardInterrupt


def _in_destructor(frame: types.FrameType | None) -> bool:
    """Whether an exception raised here would be dropped."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
