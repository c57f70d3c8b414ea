"""The one error that users see: a clear line that names the thing, the place and the remedy."""

from collections.abc import Callable
import functools
import importlib
import io
import os
import sys

from ctcov_tf import interruption

EXIT_USER_ERROR = 2
EXIT_PIPE_CLOSED = 141
"""What a shell reports of a process that SIGPIPE ended, as of most commands before `| head`."""


class CtcovError(Exception):
    """A fault that the user can mend; its message is one line: thing, place, remedy.

    A name in it that holds control characters, as those of files may, is spelled out: it cannot steer a terminal, nor
    begin a line of a log.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """A text whose control characters, line breaks and unreadable bytes are written as escapes.

    Args:
      text: such as a file's name.
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def one_line(error: BaseException) -> str:
    """An error's message without line breaks, as other libraries' messages have them."""
    return " ".join(str(error).split())


def need(module: str, remedy: str) -> None:
    """Complains in one line of a module that is not installed everywhere.

    Args:
      module: that is imported.
      remedy: how to get it.

    Raises:
      CtcovError: it, or what it needs, is not there.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise CtcovError(f"{error.name}: not installed, {remedy}") from error


def exit_cleanly(main: Callable[..., int | None]) -> Callable[..., None]:
    """Wraps a command's main: a `CtcovError` becomes one line on stderr and exit code 2.

    Where nobody reads the output any more, as after `| head`, the command ends without a word. Ctrl-C and SIGTERM are
    taken as `interruption` says; the exit code is 128 and the signal's number.

    Args:
      main: the command; returns an exit code, or None for success.

    Returns:
      A function that never returns: it ends the process with the exit code.
    """

    @functools.wraps(main)
    def wrapped(*args: object, **kwargs: object) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is written as an escape
                stream.reconfigure(errors="backslashreplace")
        with interruption.handled():
            try:
                try:
                    code = main(*args, **kwargs)
                finally:
                    _flush_output()
            except BrokenPipeError:
                code = EXIT_PIPE_CLOSED
            except CtcovError as error:
                print(f"error: {one_line(error)}", file=sys.stderr)
                code = EXIT_USER_ERROR
            except OSError as error:
                print(f"error: {_describe(error)}", file=sys.stderr)
                code = EXIT_USER_ERROR
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr)
                code = interruption.exit_code()
        sys.exit(code or 0)

    return wrapped


def _flush_output() -> None:
    """Writes what is left while errors are still caught: at its end, Python would complain in its own words."""
    if not sys.stdout:  # the process was started without
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _describe(error: OSError) -> str:
    place = f": {error.filename}" if error.filename else ""
    remedy = {28: "; free some space or choose another folder", 13: "; check its permissions"}
    return f"{error.strerror or one_line(error)}{printable(place)}{remedy.get(error.errno or 0, '')}"
