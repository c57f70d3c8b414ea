"""Asks again where that may help: after delays that double and differ from client to client."""

from collections.abc import Callable
import dataclasses
import random
import time
from typing import TypeVar

from ctcov_tf.serving.not_answered import NotAnswered

Answer = TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class Retries:
    """How often a request is made, and after which delays.

    The n-th delay is drawn evenly from the upper half of `first_delay * 2 ** n`, so that clients that were refused
    together do not come back together.

    Attributes:
      attempts: most requests for one answer, at least 1.
      first_delay: longest first delay, seconds.
      longest_delay: no delay is longer, seconds; not even one that the server asks for.
    """

    attempts: int = 4
    first_delay: float = 0.5
    longest_delay: float = 10.0

    def call(self, ask: Callable[[], Answer], sleep: Callable[[float], object] = time.sleep) -> Answer:
        """Asks until there is an answer, an error that asking again does not mend, or no attempt left.

        Args:
          ask: makes the request.
          sleep: waits so many seconds.

        Raises:
          NotAnswered: the last error.
        """
        for attempt in range(self.attempts - 1):
            try:
                return ask()
            except NotAnswered as error:
                if not error.again:
                    raise
                sleep(min(max(self._delay(attempt), error.wait), self.longest_delay))
        return ask()

    def _delay(self, attempt: int) -> float:
        longest = min(self.first_delay * 2**attempt, self.longest_delay)
        return random.uniform(longest / 2, longest)
