"""DeLong's test: are the AUCs of two classifiers on the same images equal?

Variance and covariance after DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), by ranks as in Sun and Xu (IEEE
Signal Processing Letters 21, 2014): the time grows as n log n. The test counts every image as independent of all
others. Where a patient gave several, differences look surer than they are, and the bootstrap by groups leads.
"""

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from ctcov_tf.statistics.bootstrap import LEVEL, Interval


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two AUCs on the same images.

    Attributes:
      aucs: of the first and the second classifier.
      difference: the first minus the second.
      standard_error: of the difference.
      interval: of the difference, at `bootstrap.LEVEL`, by the normal distribution.
      z: difference over its standard error; None where that is zero.
      p_value: two-sided; 1 for classifiers that rank alike, None where the test is undefined.
    """

    aucs: tuple[float, float]
    difference: float
    standard_error: float
    interval: Interval
    z: float | None
    p_value: float | None


def auc_covariance(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray, npt.NDArray] | None:
    """AUC of each of several classifiers on the same images, and their covariance.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      scores: (classifiers, n), higher for the positive class; equal ones are ties.

    Returns:
      AUCs (classifiers,) and covariance (classifiers, classifiers), float64; None with fewer than two images of a
      class.
    """
    truth = np.asarray(labels, bool)
    scores = np.atleast_2d(np.asarray(scores, float))
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if min(positives, negatives) < 2:
        return None
    among_all = stats.rankdata(scores, axis=1)
    # share of the other class that each image wins over, half of those tied with it counted
    won = (among_all[:, truth] - stats.rankdata(scores[:, truth], axis=1)) / negatives
    lost = 1 - (among_all[:, ~truth] - stats.rankdata(scores[:, ~truth], axis=1)) / positives
    covariance = np.cov(won) / positives + np.cov(lost) / negatives
    return won.mean(axis=1), np.atleast_2d(covariance)


def compare(labels: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison | None:
    """Tests whether two classifiers have the same AUC.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      first: (n,), scores of one classifier, higher for the positive class.
      second: (n,), those of the other for the same images.

    Returns:
      The comparison; None with fewer than two images of a class.
    """
    found = auc_covariance(labels, np.stack([np.asarray(first, float), np.asarray(second, float)]))
    if found is None:
        return None
    aucs, covariance = found
    difference = float(aucs[0] - aucs[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    error = math.sqrt(variance) if variance > _ROUNDING else 0.0
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    z = difference / error if error else None
    if z is not None:
        p_value: float | None = float(2 * stats.norm.sf(abs(z)))
    else:
        p_value = 1.0 if abs(difference) < _ROUNDING else None
    return Comparison(
        aucs=(float(aucs[0]), float(aucs[1])),
        difference=difference,
        standard_error=error,
        interval=(difference - half, difference + half),
        z=z,
        p_value=p_value,
    )


_ROUNDING = 1e-15
