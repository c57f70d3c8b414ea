"""Are probabilities right, and what are decisions worth: calibration, net benefit, predictive values.

All of it is about one binary decision: the probability of the positive class, and whether the image is positive. What
takes `weights` is computed for many weightings of the images at once, as `bootstrap.replicate_weights` draws them; the
bins stay those of the whole.
"""

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

from ctcov_tf.statistics import bootstrap

BINS = 10
Strategy = Literal["equal_mass", "equal_width"]


@dataclasses.dataclass(frozen=True)
class Reliability:
    """What became of the images of each bin; empty bins are left out.

    Attributes:
      low: (bins,), lower edge.
      high: (bins,), upper edge, which belongs to the bin.
      images: (bins,), how many.
      probability: (bins,), their mean probability.
      positives: (bins,), share of them that is positive.
    """

    low: npt.NDArray
    high: npt.NDArray
    images: npt.NDArray
    probability: npt.NDArray
    positives: npt.NDArray


def bin_edges(probabilities: npt.ArrayLike, strategy: Strategy, bins: int = BINS) -> npt.NDArray:
    """Edges of bins.

    Args:
      probabilities: (n,), in [0, 1].
      strategy: `equal_mass`, as many images in each (equal probabilities stay together), or `equal_width`.
      bins: how many.

    Returns:
      (bins + 1,) float64, in ascending order.
    """
    shares = np.linspace(0, 1, bins + 1)
    # Percentiles and not quantiles: scikit-learn's edges to the last bit, which decides about a probability on an edge.
    return np.percentile(np.asarray(probabilities, float), 100 * shares) if strategy == "equal_mass" else shares


def reliability(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, strategy: Strategy, bins: int = BINS
) -> Reliability:
    """The points of a reliability diagram.

    Args:
      labels: (n,), 1 for the positive class, else 0; at least one.
      probabilities: (n,), of the positive class, in [0, 1].
      strategy: of the bins.
      bins: how many.

    Returns:
      The bins that hold an image.
    """
    truth, scores = np.asarray(labels, float), np.asarray(probabilities, float)
    edges = bin_edges(scores, strategy, bins)
    members = _members(scores, edges)
    images = members.sum(axis=0)
    kept = images > 0
    images = images[kept]
    return Reliability(
        low=edges[:-1][kept],
        high=edges[1:][kept],
        images=images.astype(int),
        probability=(scores @ members)[kept] / images,
        positives=(truth @ members)[kept] / images,
    )


def calibration_error(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    strategy: Strategy,
    weights: npt.NDArray | None = None,
    bins: int = BINS,
) -> npt.NDArray:
    """Expected calibration error (Naeini et al., AAAI 2015): mean over the images of |mean probability - positives|.

    Args:
      labels: (n,) or (rows, n), 1 for the positive class, else 0; n is at least one.
      probabilities: (n,), of the positive class, in [0, 1].
      strategy: of the bins.
      weights: (replicates, n), of the images; all count once without.
      bins: how many.

    Returns:
      (replicates,) float64 in [0, 1], or (rows,) of each row of labels where there are no weights.
    """
    truth, scores = np.atleast_2d(np.asarray(labels)), np.asarray(probabilities, float)
    members = _members(scores, bin_edges(scores, strategy, bins))
    if weights is None:
        excess = scores @ members - bootstrap.weighted_sums(truth, members)
        return np.abs(excess).sum(axis=1) / len(scores)
    excess = bootstrap.weighted_sums(weights, members * (scores - truth[0])[:, np.newaxis])
    return np.abs(excess).sum(axis=1) / weights.sum(axis=1)


def calibration_error_if_calibrated(
    probabilities: npt.ArrayLike, groups: npt.ArrayLike, strategy: Strategy, *, replicates: int, seed: int
) -> npt.NDArray:
    """Calibration errors that a perfectly calibrated classifier would show on so many images.

    A finite part never has an error of zero. Labels are drawn from the probabilities themselves (consistency
    resampling, Broecker and Smith, Weather and Forecasting 22, 2007), one draw a group, so that the images of a patient
    go together.

    Args:
      probabilities: (n,), of the positive class, in [0, 1].
      groups: (n,), name of each image's group.
      strategy: of the bins.
      replicates: how many parts are drawn.
      seed: of the drawing.

    Returns:
      (replicates,) float64 in [0, 1].
    """
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    draws = np.random.default_rng(seed).random((replicates, len(names)))
    return calibration_error(draws[:, members] < np.asarray(probabilities, float), probabilities, strategy)


def brier_score(labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.NDArray | None = None) -> npt.NDArray:
    """Brier score: mean squared difference of probability and label.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class, in [0, 1].
      weights: (replicates, n), of the images; all count once without.

    Returns:
      (replicates,) float64 in [0, 1]; of one replicate without weights.
    """
    squares = (np.asarray(probabilities, float) - np.asarray(labels, float)) ** 2
    weights = np.ones((1, len(squares))) if weights is None else weights
    return bootstrap.weighted_sums(weights, squares[:, np.newaxis])[:, 0] / weights.sum(axis=1)


def net_benefit(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, thresholds: npt.ArrayLike, weights: npt.NDArray | None = None
) -> npt.NDArray:
    """Net benefit of calling positive what reaches a threshold (Vickers and Elkin, Medical Decision Making 26, 2006).

    Who acts from a probability t on holds a missed case to be (1 - t) / t times as bad as a false alarm. True positives
    less the false ones at that rate, a share of the images: calling none positive is worth 0.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class, in [0, 1]; zeros or ones for a rule that calls none or all positive.
      thresholds: (thresholds,), in [0, 1).
      weights: (replicates, n), of the images; all count once without.

    Returns:
      (replicates, thresholds) float64; of one replicate without weights.
    """
    truth, scores = np.asarray(labels, bool)[:, np.newaxis], np.asarray(probabilities, float)[:, np.newaxis]
    odds = np.asarray(thresholds, float) / (1 - np.asarray(thresholds, float))
    worth = (scores >= np.asarray(thresholds, float)) * np.where(truth, 1.0, -odds)
    weights = np.ones((1, len(truth))) if weights is None else weights
    return bootstrap.weighted_sums(weights, worth) / weights.sum(axis=1)[:, np.newaxis]


def predictive_values(
    sensitivity: npt.ArrayLike, specificity: npt.ArrayLike, prevalence: npt.ArrayLike
) -> tuple[npt.NDArray, npt.NDArray]:
    """What a decision means where the disease is more or less common than in the images judged: Bayes' rule.

    Args:
      sensitivity: in [0, 1].
      specificity: in [0, 1].
      prevalence: share of the positive class, in [0, 1]; all three are broadcast.

    Returns:
      Positive and negative predictive value, float64; NaN where no decision of that kind is ever made.
    """
    sensitivity, specificity, prevalence = (
        np.asarray(value, float) for value in (sensitivity, specificity, prevalence)
    )
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_negative, false_negative = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    with np.errstate(invalid="ignore"):
        return true_positive / (true_positive + false_positive), true_negative / (true_negative + false_negative)


def _members(scores: npt.NDArray, edges: npt.NDArray) -> npt.NDArray:
    """Which bin holds each image: (n, bins) float64 of zeros and ones."""
    found = np.searchsorted(edges[1:-1], scores)
    return np.eye(len(edges) - 1)[found]
