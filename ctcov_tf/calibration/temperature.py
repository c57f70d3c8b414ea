"""Temperature scaling (arXiv 1706.04599): one number by which all logits are divided, fitted on validation images.

It changes no order and so no AUC, only how sure the network says it is.
"""

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

SHARPEST, FLATTEST = 0.02, 50.0
"""Temperatures looked at; a best one outside means that the images do not determine any."""


def probabilities(logits: npt.ArrayLike, *, exclusive: bool, temperature: float = 1.0) -> npt.NDArray:
    """Softmax where the classes exclude each other, else a sigmoid for each output: `models.scores` in numpy.

    Args:
      logits: (n, outputs).
      exclusive: whether an image belongs to one class only.
      temperature: that the logits are divided by, above 0.

    Returns:
      (n, outputs) float64 in [0, 1].
    """
    scaled = np.asarray(logits, np.float64) / temperature
    return special.softmax(scaled, axis=1) if exclusive else special.expit(scaled)


def fit(logits: npt.ArrayLike, targets: npt.ArrayLike, *, exclusive: bool) -> float:
    """Temperature of the highest likelihood.

    The likelihood is concave in 1 / temperature, so that the root of its slope is its only maximum.

    Args:
      logits: (n, outputs), as the network gives them.
      targets: (n, outputs), 1 or 0; below 0 where unknown, which is left out.
      exclusive: whether an image belongs to one class only; then each row of `targets` is one-hot.

    Returns:
      The temperature, above 0; 1 where the images determine none: there are none, they are of one class, the logits
      separate the classes wholly, or say nothing about them.
    """
    logits, targets = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    known = targets >= 0

    def slope(inverse: float) -> float:
        """Of the negative log-likelihood."""
        found = probabilities(logits, exclusive=exclusive, temperature=1 / inverse)
        return float(np.sum(((found - targets) * logits)[known]))

    lowest, highest = 1 / FLATTEST, 1 / SHARPEST
    if not _has_two_classes(targets, known, exclusive) or slope(lowest) >= 0 or slope(highest) <= 0:
        return 1.0
    return 1 / float(optimize.brentq(slope, lowest, highest, xtol=1e-9))


def negative_log_likelihood(
    logits: npt.ArrayLike, targets: npt.ArrayLike, *, exclusive: bool, temperature: float = 1.0
) -> float:
    """Mean negative log-likelihood of what is known.

    Args:
      logits: (n, outputs).
      targets: (n, outputs), 1 or 0; below 0 where unknown.
      exclusive: whether an image belongs to one class only; then each row of `targets` is one-hot.
      temperature: that the logits are divided by.

    Returns:
      Nats an image for exclusive classes, else nats a known target.
    """
    scaled, targets = np.asarray(logits, np.float64) / temperature, np.asarray(targets, np.float64)
    if exclusive:
        return float(-np.mean(np.sum(targets * special.log_softmax(scaled, axis=1), axis=1)))
    signed = np.where(targets > 0, scaled, -scaled)[targets >= 0]
    return float(-np.mean(special.log_expit(signed)))


def _has_two_classes(targets: npt.NDArray, known: npt.NDArray, exclusive: bool) -> bool:
    if exclusive:
        return int(np.sum(targets.any(axis=0))) > 1
    return len(np.unique(targets[known])) > 1
