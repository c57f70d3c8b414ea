"""Fits the input gate (`models.input_gate`): Mahalanobis distances from the training images.

Each space is reduced to its principal components; distances are those of a Gaussian over these, its covariance shrunk
as Ledoit and Wolf (2004) do, since there are few images for many dimensions.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from sklearn import covariance, decomposition

from ctcov_tf.model_info import GATE_LEVEL
from ctcov_tf.models.input_gate import Gate, Measure

COMPONENTS = {"texture": 32, "layout": 64}
"""Most principal components of each space; the rarest directions of texture are those that 8-bit weights disturb."""

MARGIN = 1.02  # of the limit above the least like image that passes, where no other lies above it


def fit(
    train: Mapping[str, npt.NDArray], validation: Mapping[str, npt.NDArray], level: float = GATE_LEVEL
) -> Gate | None:
    """Fits distances to training images, and the limit to validation images.

    The network has learnt its training images by heart, so that they lie closer than any new image: none of them says
    where the limit is.

    Args:
      train: (images, features) by space of `input_gate.FEATURES`.
      validation: the same of images that the network was not trained on.
      level: share of the validation images that are to pass.

    Returns:
      The gate, scaled so that its limit is 1 and all its distances weigh alike; None where either part has no two
      images.
    """
    if min(len(next(iter(part.values()))) for part in (train, validation)) < 2:
        return None
    measures = {}
    for name, values in train.items():
        measure = _measure(np.asarray(values, float), COMPONENTS[name])
        measures[name] = _scaled(measure, _limit(distances(measure, validation[name]), level))
    limit = _limit(scores(Gate(measures), validation), level)
    return Gate({name: _scaled(measure, limit) for name, measure in measures.items()})


def scores(gate: Gate, features: Mapping[str, npt.NDArray]) -> npt.NDArray:
    """What the gate says of images.

    Args:
      gate: the gate.
      features: (images, features) by space.

    Returns:
      (images,) float32, refused above 1.
    """
    return np.max([distances(measure, features[name]) for name, measure in gate.measures.items()], axis=0)


def distances(measure: Measure, values: npt.ArrayLike) -> npt.NDArray:
    """Distances in one space, (images,) float32.

    Args:
      measure: of that space.
      values: (images, features).
    """
    return np.linalg.norm((np.asarray(values, np.float32) - measure.mean) @ measure.whitening, axis=1)


def _measure(values: npt.NDArray, most: int) -> Measure:
    components = min(most, len(values) - 1, values.shape[1])
    reduction = decomposition.PCA(components, svd_solver="full").fit(values)
    precision = covariance.LedoitWolf(assume_centered=True).fit(reduction.transform(values)).precision_
    whitening = reduction.components_.T @ np.linalg.cholesky(precision)
    return Measure(reduction.mean_.astype(np.float32), whitening.astype(np.float32))


def _limit(found: npt.NDArray, level: float) -> float:
    """Midway between the least like image that is to pass and the next, so that no image sits on it."""
    ordered = np.sort(found.astype(float))
    rank = int(np.ceil(np.round(level * len(ordered), 9)))
    highest = ordered[rank - 1]
    limit = (highest + ordered[rank]) / 2 if rank < len(ordered) else MARGIN * highest
    return max(float(limit), float(np.finfo(np.float32).tiny))


def _scaled(measure: Measure, limit: float) -> Measure:
    return Measure(measure.mean, (measure.whitening / limit).astype(np.float32))
