"""All numbers of one classifier on some images: counts, metrics with intervals, confusion."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf.model_info import OOD_LIMIT, Labels
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

SEED = 0


def summarise(predictions: pd.DataFrame, cut: float, labels: Labels | None = None) -> dict[str, Any]:
    """All numbers of one classifier on one part.

    Args:
      predictions: `target`, 0 or 1, `probability` and `group_id` of each image; of more than two exclusive classes
        also `label` and `p_<output>`.
      cut: threshold of the decision.
      labels: of the network; None for a binary classifier without.

    Returns:
      Counts of `images`, `groups` and `positives`; `metrics`: `value`, `low` and `high` by name, None where
      undefined; `confusion`; `threshold`; `one_class_replicates`; `classes`: metrics over more than
      two classes, or None.
    """
    target, probability, groups = (predictions[name].to_numpy() for name in ("target", "probability", "group_id"))
    values = metrics_lib.binary_metrics(target, probability, cut)
    found = bootstrap.bootstrap(target, probability, groups, cut, seed=SEED)
    classes = None
    if labels and labels.exclusive and len(labels.outputs) > 2:
        outputs = predictions[[f"p_{name}" for name in labels.outputs]]
        classes = metrics_lib.class_metrics(predictions["label"], outputs, labels.outputs)
    return {
        "images": len(predictions),
        "groups": found.groups,
        "positives": int(target.sum()),
        "threshold": cut,
        "metrics": {name: bootstrap.with_interval(value, found.intervals[name]) for name, value in values.items()},
        "confusion": metrics_lib.confusion(target, probability, cut),
        "one_class_replicates": found.one_class_replicates,
        "classes": classes,
    }


def known(predictions: pd.DataFrame) -> pd.DataFrame:
    """The rows whose target is known: a report may leave a finding open, and such an image judges nothing."""
    return predictions[predictions["target"] >= 0]


def refused(predictions: pd.DataFrame) -> dict[str, int] | None:
    """How many images of a part the input gate would refuse.

    Args:
      predictions: with `ood_score` where the run has a gate.

    Returns:
      `images` and `refused`; None where the run has no gate.
    """
    if "ood_score" not in predictions:
        return None
    return {"images": len(predictions), "refused": int(np.sum(predictions["ood_score"] > OOD_LIMIT))}


def auc_difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, float | None]:
    """AUC of one classifier minus that of another on the same images, with its interval over the same replicates.

    Args:
      ours: `target`, `probability` and `group_id` of each image.
      theirs: `probability` of the same images, in the same order.

    Returns:
      `value`, `low` and `high`; None where undefined.
    """
    target, first, second = ours["target"].to_numpy(), ours["probability"].to_numpy(), theirs["probability"].to_numpy()
    values = [metrics_lib.binary_metrics(target, scores, 0.5)["auc"] for scores in (first, second)]
    if values[0] is None or values[1] is None:
        return bootstrap.with_interval(None, None)
    groups = ours["group_id"].to_numpy()
    interval = bootstrap.auc_difference(target, first, second, groups, seed=SEED)
    return bootstrap.with_interval(values[0] - values[1], interval)


def mean(values: npt.NDArray, groups: Sequence[str]) -> dict[str, float | None]:
    """A mean over images, with its interval over groups.

    Args:
      values: (n,), one an image.
      groups: each image's group.

    Returns:
      `value`, `low` and `high`; all None where there is no image, the last two where there is one group only.
    """
    if not len(values):
        return bootstrap.with_interval(None, None)
    interval = None
    if len(set(groups)) > 1:
        weights = bootstrap.replicate_weights(groups, seed=SEED)
        interval = bootstrap.percentile_interval(weights @ values / weights.sum(axis=1))
    return bootstrap.with_interval(float(np.mean(values)), interval)
