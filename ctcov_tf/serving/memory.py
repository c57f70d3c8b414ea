"""Memory that requests leave behind in the C library, given back to the system."""

import ctypes
import time

_SECONDS = 0.1
"""Between two times that it is given back; each takes some milliseconds."""
_LARGE = 1 << 20
"""Bytes from which on memory comes from the system and goes back to it at once; glibc by itself raises the bound with
what is freed, and keeps ever larger bodies."""

_M_MMAP_THRESHOLD = -3  # of malloc.h


class Leftovers:
    """Gives back what large bodies and images have left: glibc keeps freed memory of up to 64 MB in every thread."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._trim = getattr(library, "malloc_trim", None)
        if self._trim:
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        self._last = time.monotonic()

    def give_back(self) -> None:
        """Gives it back, unless that has just been done or the C library is another one."""
        now = time.monotonic()
        if self._trim and now - self._last > _SECONDS:
            self._last = now
            self._trim(0)
