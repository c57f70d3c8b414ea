"""McNemar's test: do two classifiers decide equally well on the same images?"""

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Decisions of two classifiers on the same images.

    Attributes:
      only_first: images that the first alone decided right.
      only_second: images that the second alone decided right.
      p_value: two-sided, exact: binomial over the images of the two counts above. It counts every image as independent
        of all others.
      mid_p_value: half the probability of what was seen taken off the exact one, which is too cautious (Fagerland,
        Lydersen and Laake, BMC Medical Research Methodology 13, 2013).
    """

    only_first: int
    only_second: int
    p_value: float
    mid_p_value: float


def compare(labels: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison:
    """Tests whether two classifiers are right equally often.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      first: (n,), decisions of one classifier, 1 for the positive class, else 0.
      second: (n,), those of the other for the same images.

    Returns:
      The comparison; both p values are 1 where the classifiers are never right alone.
    """
    truth = np.asarray(labels, bool)
    first_right, second_right = (np.asarray(decisions, bool) == truth for decisions in (first, second))
    only_first, only_second = int(np.sum(first_right & ~second_right)), int(np.sum(~first_right & second_right))
    discordant = only_first + only_second
    if not discordant:
        return Comparison(0, 0, 1.0, 1.0)
    exact = float(stats.binomtest(only_first, discordant).pvalue)
    seen = float(stats.binom.pmf(only_first, discordant, 0.5))
    # where both counts are equal, what was seen stands in both halves of the exact value but is counted once
    mid = exact - (seen / 2 if only_first == only_second else seen)
    return Comparison(only_first, only_second, exact, mid)
