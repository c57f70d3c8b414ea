"""What the file names of the Kermany radiographs tell: patient and kind of pneumonia."""

import re
from typing import NamedTuple

SUBTYPES = {"bacteria": "bacterial", "virus": "viral"}
_PATTERNS = (
    re.compile(r"(?P<patient>person\d+)_(?P<subtype>bacteria|virus)_\d+"),
    re.compile(r"(?:NORMAL2-)?(?P<patient>IM-\d+)(?:-\d+)+(?P<subtype>)"),
    re.compile(r"(?P<subtype>BACTERIA|VIRUS|NORMAL)-(?P<patient>\d+)-\d+"),  # version 3 of the archive
)


class Film(NamedTuple):
    """A radiograph, by its name.

    Attributes:
      patient: such as `person1` or `IM-0115`.
      subtype: `bacterial`, `viral` or empty where it is no pneumonia.
    """

    patient: str
    subtype: str


def parse(stem: str) -> Film | None:
    """Reads a file name without its ending; returns None where it has no patient number."""
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(stem):
            return Film(match["patient"], SUBTYPES.get(match["subtype"].lower(), ""))
    return None
