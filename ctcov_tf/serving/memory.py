"""Memory that requests leave behind in the C library, given back to the system."""

import ctypes
import time

_SECONDS = 0.1
"""Between two times that it is given back; each takes some milliseconds."""
_ARENAS = 2
"""Pools that glibc may take memory from; by itself it makes eight for each processor, and threads spread over them."""

_M_ARENA_MAX = -8  # of malloc.h


class Leftovers:
    """Gives back what large bodies and images have left: glibc keeps freed memory of up to 64 MB in every pool."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._trim = getattr(library, "malloc_trim", None)
        if self._trim:
            library.mallopt(_M_ARENA_MAX, _ARENAS)
        self._last = time.monotonic()

    def give_back(self) -> None:
        """Gives it back, unless that has just been done or the C library is another one."""
        now = time.monotonic()
        if self._trim and now - self._last > _SECONDS:
            self._last = now
            self._trim(0)
