"""Several tests at once: the more of them, the likelier one finds a difference where there is none."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def holm(p_values: Sequence[float] | npt.NDArray) -> npt.NDArray:
    """Corrects p values for the number of tests, by Holm's method (Scandinavian Journal of Statistics 6, 1979).

    Args:
      p_values: (tests,), in [0, 1].

    Returns:
      (tests,) float64, corrected, in the order given: rejecting those below a level keeps the chance of any false
      rejection below it, whatever the dependence between the tests.
    """
    given = np.asarray(p_values, float)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
