"""Patient-level bootstrap: 95 % intervals of all metrics, by resampling groups of images, not images.

Images of one patient resemble each other, so resampling images would make intervals too narrow. A
replicate draws as many groups as there are, with replacement, and is held as the weight of each image:
all replicates are computed at once.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np
import numpy.typing as npt

from ctcov_tf.statistics import metrics

LEVEL = 0.95
REPLICATES = 2000
BATCH_CELLS = 2_000_000  # replicates x images held in memory at once

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Intervals of the binary metrics.

    Attributes:
      intervals: low and high by metric; None with fewer than two groups or where no replicate defines it.
      groups: how many groups were resampled.
      replicates: how many replicates were drawn.
      one_class_replicates: replicates that drew one class only; they don't enter the interval of the AUC.
    """

    intervals: dict[str, Interval | None]
    groups: int
    replicates: int
    one_class_replicates: int


def replicate_weights(groups: Sequence[str] | npt.NDArray, replicates: int = REPLICATES, seed: int = 0) -> npt.NDArray:
    """Weights of the images in each replicate.

    Args:
      groups: (n,), name of each image's group.
      replicates: how many.
      seed: the same groups and seed give the same weights.

    Returns:
      (replicates, n), uint16: how often the replicate drew the image's group.
    """
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    if not len(names):
        return np.zeros((replicates, 0), np.uint16)
    shares = np.full(len(names), 1 / len(names))
    draws = np.random.default_rng(seed).multinomial(len(names), shares, size=replicates)
    return draws.astype(np.uint16)[:, members]


def weighted_metrics(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, threshold: float, weights: npt.ArrayLike
) -> dict[str, npt.NDArray]:
    """All binary metrics of many weightings of the same images.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class, in [0, 1]; equal ones are ties.
      threshold: probability at and above which the decision is positive.
      weights: (replicates, n), zero or more.

    Returns:
      (replicates,) float64 by each of `metrics.NAMES`; NaN where undefined.
    """
    scores = np.asarray(probabilities, float)
    order = np.argsort(-scores, kind="stable")
    truth, scores = np.asarray(labels, bool)[order], scores[order]
    ties = np.flatnonzero(np.r_[True, np.diff(scores) != 0][: len(scores)])
    above = int(np.sum(scores >= threshold))
    weights = np.asarray(weights)[:, order]

    batches = [_weighted_metrics(truth, ties, above, rows.astype(float)) for rows in _batches(weights)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in metrics.NAMES}


def weighted_sums(weights: npt.NDArray, columns: npt.NDArray) -> npt.NDArray:
    """Sums over the images of each replicate.

    Args:
      weights: (replicates, n), as `replicate_weights` gives them.
      columns: (n, columns), what is summed.

    Returns:
      (replicates, columns) float64.
    """
    columns = np.asarray(columns, float)
    return np.concatenate([rows.astype(float) @ columns for rows in _batches(weights)])


def _batches(weights: npt.NDArray) -> list[npt.NDArray]:
    return np.array_split(weights, max(1, -(-weights.size // BATCH_CELLS)))


def _weighted_metrics(
    truth: npt.NDArray, ties: npt.NDArray, above: int, weights: npt.NDArray
) -> dict[str, npt.NDArray]:
    positive = weights * truth
    all_positive, total = positive.sum(axis=1), weights.sum(axis=1)
    all_negative = total - all_positive
    tp = positive[:, :above].sum(axis=1)
    fp = weights[:, :above].sum(axis=1) - tp
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(ties):
            at_tie = np.add.reduceat(positive, ties, axis=1)
            negative_at_tie = np.add.reduceat(weights, ties, axis=1) - at_tie
            true_so_far, false_so_far = at_tie.cumsum(axis=1), negative_at_tie.cumsum(axis=1)
            # each positive wins over the negatives below it and half of those tied with it
            below = all_negative[:, None] - false_so_far + negative_at_tie / 2
            auc = (at_tie * below).sum(axis=1) / (all_positive * all_negative)
            precision_so_far = np.nan_to_num(true_so_far / (true_so_far + false_so_far))
            average_precision = (at_tie * precision_so_far).sum(axis=1) / all_positive
        else:
            auc = average_precision = np.full(len(weights), np.nan)
        return {
            "precision": tp / (tp + fp),
            "recall": tp / all_positive,
            "specificity": (all_negative - fp) / all_negative,
            "f1": 2 * tp / (tp + fp + all_positive),
            "accuracy": (tp + all_negative - fp) / total,
            "auc": auc,
            "average_precision": average_precision,
        }


def bootstrap(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    groups: Sequence[str] | npt.NDArray,
    threshold: float,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Intervals:
    """Percentile intervals of all binary metrics; the threshold stays fixed.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class, in [0, 1].
      groups: (n,), name of each image's group (patient, series).
      threshold: probability at and above which the decision is positive.
      replicates: how many resamplings.
      seed: of the resampling.

    Returns:
      The intervals and how they came about.
    """
    weights = replicate_weights(groups, replicates, seed)
    values = weighted_metrics(labels, probabilities, threshold, weights)
    count = len(np.unique(np.asarray(groups)))
    return Intervals(
        intervals={name: percentile_interval(of) if count > 1 else None for name, of in values.items()},
        groups=count,
        replicates=replicates,
        one_class_replicates=int(np.isnan(values["auc"]).sum()),
    )


def auc_difference(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    other: npt.ArrayLike,
    groups: Sequence[str] | npt.NDArray,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval | None:
    """Interval of one classifier's AUC minus another's, over the same images and the same replicates.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the first classifier.
      other: (n,), of the second.
      groups: (n,), name of each image's group.
      replicates: how many resamplings.
      seed: of the resampling.

    Returns:
      Low and high; None where undefined.
    """
    weights = replicate_weights(groups, replicates, seed)
    first, second = (weighted_metrics(labels, scores, 0.5, weights)["auc"] for scores in (probabilities, other))
    return percentile_interval(first - second) if len(np.unique(np.asarray(groups))) > 1 else None


def roc_band(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    groups: Sequence[str] | npt.NDArray,
    false_positive_rates: npt.NDArray,
    *,
    replicates: int = 500,
    seed: int = 0,
) -> tuple[npt.NDArray, npt.NDArray] | None:
    """Pointwise interval of the ROC curve.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class.
      groups: (n,), name of each image's group.
      false_positive_rates: (points,), where on the curve, in [0, 1].
      replicates: how many resamplings.
      seed: of the resampling.

    Returns:
      Low and high true positive rate, (points,) each; None where undefined.
    """
    scores = np.asarray(probabilities, float)
    order = np.argsort(-scores, kind="stable")
    truth = np.asarray(labels, bool)[order]
    last_of_tie = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True][: len(scores)])
    curves = []
    for weights in replicate_weights(groups, replicates, seed)[:, order].astype(float):
        true_so_far, false_so_far = np.cumsum(weights * truth), np.cumsum(weights * ~truth)
        if not len(scores) or not true_so_far[-1] or not false_so_far[-1]:
            continue
        false_rate = np.r_[0, false_so_far[last_of_tie] / false_so_far[-1]]
        true_rate = np.r_[0, true_so_far[last_of_tie] / true_so_far[-1]]
        curves.append(np.interp(false_positive_rates, false_rate, true_rate))
    if not curves:
        return None
    low, high = np.percentile(curves, _TAILS, axis=0)
    return low, high


def with_interval(value: float | None, interval: Interval | None) -> dict[str, float | None]:
    """A value as records hold it: `value`, `low` and `high`."""
    low, high = interval or (None, None)
    return {"value": value, "low": low, "high": high}


def percentile_interval(values: npt.NDArray) -> Interval | None:
    """Percentile interval of replicates; undefined ones are left out, None if none is left."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, _TAILS)
    return float(low), float(high)


_TAILS = (50 * (1 - LEVEL), 50 * (1 + LEVEL))
