"""Point metrics from labels and probabilities; one that is undefined is None, never an exception."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

NAMES = ("precision", "recall", "specificity", "f1", "accuracy", "auc", "average_precision")
"""Binary metrics in the order of tables: Table II's first, threshold-free ones last."""


def binary_metrics(labels: npt.ArrayLike, probabilities: npt.ArrayLike, threshold: float) -> dict[str, float | None]:
    """Metrics of the positive class.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class, in [0, 1].
      threshold: probability at and above which the decision is positive.

    Returns:
      The value by each name in `NAMES`; None where the images don't define it (no positive decision for
      precision, one class only for AUC, ...).
    """
    truth = np.asarray(labels, bool)
    scores = np.asarray(probabilities, float)
    counts = confusion(truth, scores, threshold)
    tp, fp, fn, tn = (counts[name] for name in ("tp", "fp", "fn", "tn"))
    both_classes = truth.any() and not truth.all()
    return {
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": _ratio(tp + tn, len(truth)),
        "auc": float(sk.roc_auc_score(truth, scores)) if both_classes else None,
        "average_precision": float(sk.average_precision_score(truth, scores)) if truth.any() else None,
    }


def confusion(labels: npt.ArrayLike, probabilities: npt.ArrayLike, threshold: float) -> dict[str, int]:
    """Confusion matrix at a threshold.

    Args:
      labels: (n,), 1 for the positive class, else 0.
      probabilities: (n,), of the positive class, in [0, 1].
      threshold: probability at and above which the decision is positive.

    Returns:
      Images counted as `tp`, `fp`, `fn` and `tn`.
    """
    truth = np.asarray(labels, bool)
    decision = np.asarray(probabilities, float) >= threshold
    return {
        "tp": int(np.sum(truth & decision)),
        "fp": int(np.sum(~truth & decision)),
        "fn": int(np.sum(truth & ~decision)),
        "tn": int(np.sum(~truth & ~decision)),
    }


def class_metrics(labels: npt.ArrayLike, probabilities: npt.ArrayLike, class_names: Sequence[str]) -> dict[str, Any]:
    """Metrics over several classes; the decision is the most probable class.

    Args:
      labels: (n,), integer class.
      probabilities: (n, classes), each row sums to 1.
      class_names: name of each class.

    Returns:
      `class_names`, `confusion_matrix` (rows: truth, columns: decision, images), `accuracy`, and `auc`:
      each class against the rest, by name; None where the images don't define it.
    """
    truth = np.asarray(labels, int)
    scores = np.asarray(probabilities, float).reshape(len(truth), len(class_names))
    indices = np.arange(len(class_names))
    matrix = np.zeros((len(class_names), len(class_names)), int)
    if len(truth):
        matrix = sk.confusion_matrix(truth, scores.argmax(axis=1), labels=indices)
    aucs: dict[str, float | None] = {}
    for index, name in enumerate(class_names):
        one = truth == index
        both_classes = one.any() and not one.all()
        aucs[name] = float(sk.roc_auc_score(one, scores[:, index])) if both_classes else None
    return {
        "class_names": list(class_names),
        "confusion_matrix": matrix.tolist(),
        "accuracy": _ratio(int(np.trace(matrix)), len(truth)),
        "auc": aucs,
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
