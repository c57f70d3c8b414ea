"""Split conformal prediction (Vovk et al. 2005), by class: sets of classes that hold the true one as often as stated.

An image's score for a class is 1 - its probability. A class belongs to the set where the score is no higher than a
quantile of the scores that validation images of that class had for it. Where patients are exchangeable, a new image of
each class then has its class in its set with at least the stated probability, whatever the network. Several images of
one patient are not exchangeable with one of each of many patients, and another hospital's patients are not
exchangeable with these.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import model_selection

from ctcov_tf.config import COVERAGE
from ctcov_tf.model_info import Conformal
from ctcov_tf.statistics import bootstrap

FOLDS = 5


def fit(scores: npt.ArrayLike, truth: npt.ArrayLike, coverage: float = COVERAGE) -> npt.NDArray:
    """The quantile of each class.

    Args:
      scores: (n, classes), 1 - probability.
      truth: (n,), index of each image's class.
      coverage: share of the images of a class whose set is to hold it, in (0, 1).

    Returns:
      (classes,): the k-th lowest score of the class's own n images, with k = ceil((n + 1) * coverage); 1 where
      n is less than k, so that the class is in every set.
    """
    scores, truth = np.asarray(scores, float), np.asarray(truth, int)
    quantiles = np.ones(scores.shape[1])
    for index in range(len(quantiles)):
        own = np.sort(scores[truth == index, index])
        rank = int(np.ceil(np.round((len(own) + 1) * coverage, 9)))
        if rank <= len(own):
            quantiles[index] = own[rank - 1]
    return quantiles


def calibrate(
    probabilities: npt.ArrayLike,
    truth: npt.ArrayLike,
    groups: Sequence[str] | npt.NDArray,
    class_names: Sequence[str],
    coverage: float = COVERAGE,
) -> Conformal:
    """Fits the quantiles, and measures by cross-fitting over groups how far they hold.

    Args:
      probabilities: (n, classes), of `Labels.set_classes`.
      truth: (n,), index of each image's class.
      groups: (n,), name of each image's group.
      class_names: name of each class.
      coverage: share of the images of a class whose set is to hold it, in (0, 1).

    Returns:
      The quantiles, with the coverage of each class and the share of images with a set of each size, where
      the quantiles were fitted to the images of other groups.
    """
    scores, truth = 1 - np.asarray(probabilities, float), np.asarray(truth, int)
    groups = np.asarray(groups)
    quantiles = fit(scores, truth, coverage)
    covered, sizes = _cross_fitted(scores, truth, groups, coverage)
    weights = bootstrap.replicate_weights(groups).astype(float)
    measured, images = {}, {}
    for index, name in enumerate(class_names):
        own = truth == index
        images[name] = int(own.sum())
        measured[name] = _share(covered, own, weights if len(np.unique(groups)) > 1 else None)
    return Conformal(
        coverage=coverage,
        quantiles=dict(zip(class_names, map(float, quantiles), strict=True)),
        images=images,
        cross_fitted=measured,
        set_sizes={str(size): float(np.mean(sizes == size)) for size in np.unique(sizes).astype(int)},
    )


def _cross_fitted(
    scores: npt.NDArray, truth: npt.NDArray, groups: npt.NDArray, coverage: float
) -> tuple[npt.NDArray, npt.NDArray]:
    """Whether each image's set, by quantiles of other groups, holds its class, and the set's size."""
    covered, sizes = np.full(len(truth), np.nan), np.full(len(truth), np.nan)
    folds = min(FOLDS, len(np.unique(groups)))
    if folds < 2:
        return covered, sizes[:0]
    for others, fold in model_selection.GroupKFold(folds).split(scores, truth, groups):
        members = scores[fold] <= fit(scores[others], truth[others], coverage)
        covered[fold] = members[np.arange(len(fold)), truth[fold]]
        sizes[fold] = members.sum(axis=1)
    return covered, sizes


def _share(covered: npt.NDArray, own: npt.NDArray, weights: npt.NDArray | None) -> dict[str, Any]:
    """Share of a class's images that are covered, with its interval over groups."""
    if weights is None or not own.any():
        return bootstrap.with_interval(None, None)
    drawn = weights[:, own]
    with np.errstate(invalid="ignore"):
        shares = drawn @ covered[own] / drawn.sum(axis=1)
    return bootstrap.with_interval(float(covered[own].mean()), bootstrap.percentile_interval(shares))
