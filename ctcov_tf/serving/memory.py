"""Memory that requests leave behind in the C library, given back to the system."""

import ctypes
import time

_SECONDS = 0.1
"""Between two times that it is given back; each takes some milliseconds."""


class Leftovers:
    """Gives back what large bodies and images have left: glibc keeps freed memory of up to 64 MB in every thread."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._last = time.monotonic()

    def give_back(self) -> None:
        """Gives it back, unless that has just been done or the C library is another one."""
        now = time.monotonic()
        if self._trim and now - self._last > _SECONDS:
            self._last = now
            self._trim(0)
