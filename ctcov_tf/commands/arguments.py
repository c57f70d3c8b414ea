"""Arguments that several commands have, and types of arguments."""

import argparse
from collections.abc import Callable, Sequence
import pathlib
from typing import Any

SPLITS = ("train", "validation", "test")

DEFAULT = "(default: %(default)s)"
"""Ends a help text with the default."""

ANY_MODEL = (
    "run directory, SavedModel folder (a program: only those of your own, see ctcov inspect), .tflite file, "
    "or name of a shipped model"
)

RUN: dict[str, Any] = {"type": pathlib.Path, "metavar": "RUN", "help": "run directory that train.py wrote"}
IMAGES: dict[str, Any] = {
    "type": pathlib.Path,
    "nargs": "+",
    "metavar": "IMAGE",
    "help": "image files (PNG, JPEG, BMP)",
}
FOLDER: dict[str, Any] = {"type": pathlib.Path, "metavar": "DIR"}
WINDOW: dict[str, Any] = {
    "nargs": 2,
    "type": float,
    "metavar": ("CENTER", "WIDTH"),
    "help": "window that CT in DICOM files goes through, Hounsfield units (default: -600 1500, that of the lung)",
}


def as_window(given: Sequence[float] | None) -> tuple[float, float] | None:
    """The window's centre and width, as `WINDOW` gives them; None if none was named."""
    return (given[0], given[1]) if given else None


def share(text: str) -> float:
    """A number between 0 and 1.

    Args:
      text: what the user wrote.

    Raises:
      ArgumentTypeError: it is no such number.
    """
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type of numbers above 0.

    Args:
      kind: of number, `int` or `float`.

    Returns:
      A function that reads such a number, or raises ArgumentTypeError.
    """

    def number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
        return value

    return number


COUNT: dict[str, Any] = {"type": positive(int), "metavar": "N"}
