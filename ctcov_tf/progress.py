"""Shows how far work has come."""

from collections.abc import Iterator
from typing import Any

import tqdm

from ctcov_tf import interruption

SILENT_SECONDS = 2
"""Work that takes longer shows a progress bar."""


class Bar(tqdm.tqdm):
    """A progress bar of tqdm that appears after `SILENT_SECONDS`, goes when it is full, and looks for Ctrl-C.

    Args:
      *args: as tqdm takes them.
      **kwargs: as tqdm takes them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"delay": SILENT_SECONDS, "leave": False, **kwargs})

    def __iter__(self) -> Iterator[Any]:
        """Gives the items one by one; raises KeyboardInterrupt between two of them after a signal."""
        yield from interruption.steps(super().__iter__())

    def update(self, n: float | None = 1) -> bool | None:
        """Counts what is done; raises KeyboardInterrupt after a signal.

        Args:
          n: steps since the last call.
        """
        interruption.check()
        return super().update(n)
