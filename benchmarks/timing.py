"""Times things in turns, so that a change in the machine's load meets all of them alike."""

from collections.abc import Callable, Mapping
import time
from typing import Any

import numpy as np


def in_turns(
    contestants: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    warm_up: int = 1,
    pause: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Runs every contestant once a round.

    Args:
      contestants: what to time, by name; each must have finished its work when it returns.
      rounds: measured rounds.
      warm_up: rounds before them that are not counted: they trace graphs and fill caches.
      pause: seconds of rest before each turn: threads of some runtimes spin for a while after their work.
      clock: seconds; `time.process_time` for the processor's time of all threads.

    Returns:
      Seconds of every round, by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(warm_up + rounds):
        for name, run in contestants.items():
            time.sleep(pause)
            start = clock()
            run()
            if turn >= warm_up:
                seconds[name].append(clock() - start)
            else:
                clock()
    return seconds


def spread(values: list[float], scale: float = 1.0) -> dict[str, float]:
    """Median, quartiles and extremes of `values`, each times `scale`, to four digits."""
    least, low, median, high, most = np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0]) * scale
    found = {"median": median, "low": low, "high": high, "least": least, "most": most}
    return {name: float(f"{value:.4g}") for name, value in found.items()} | {"rounds": len(values)}


def ratio(over: list[float], under: list[float]) -> dict[str, float]:
    """Spread of `over / under`, round by round."""
    return spread([one / other for one, other in zip(over, under, strict=True)])
