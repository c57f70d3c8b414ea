"""Findings, each judged for itself on the images of which its state is known."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf.evaluation.summary import SEED
from ctcov_tf.model_info import Labels
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

NAMES = ("auc", "average_precision")


def summarise(predictions: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    """Metrics of every finding, and the mean AUC.

    Args:
      predictions: `t_<finding>` (1, 0, or -1 where masked), `p_<finding>` and `group_id` of each image.
      labels: of a network with the head `findings`.

    Returns:
      `by_finding`: for each `images` whose state is known, `positives`, `auc` and `average_precision` (`value`,
      `low`, `high`); `mean_auc` over the findings that define one, its interval from replicates in which all of
      them do; `defined`: how many these are.
    """
    by_finding = {name: _one(predictions, name) for name in labels.outputs}
    defined = [name for name, found in by_finding.items() if found["auc"]["value"] is not None]
    return {
        "by_finding": by_finding,
        "mean_auc": _mean_auc(predictions, defined, by_finding),
        "defined": len(defined),
    }


def _one(predictions: pd.DataFrame, name: str) -> dict[str, Any]:
    rows = predictions[predictions[f"t_{name}"] >= 0]
    target, probability = rows[f"t_{name}"].to_numpy(int), rows[f"p_{name}"].to_numpy(float)
    values = metrics_lib.binary_metrics(target, probability, 0.5)
    found = bootstrap.bootstrap(target, probability, rows["group_id"].to_numpy(), 0.5, seed=SEED).intervals
    return {
        "images": len(rows),
        "positives": int(target.sum()),
        **{metric: bootstrap.with_interval(values[metric], found[metric]) for metric in NAMES},
    }


def _mean_auc(predictions: pd.DataFrame, defined: list[str], by_finding: dict[str, Any]) -> dict[str, float | None]:
    if not defined:
        return bootstrap.with_interval(None, None)
    value = float(np.mean([by_finding[name]["auc"]["value"] for name in defined]))
    if predictions["group_id"].nunique() < 2:
        return bootstrap.with_interval(value, None)
    weights = bootstrap.replicate_weights(predictions["group_id"].to_numpy(), seed=SEED)
    replicates = np.mean([_replicated_auc(predictions, name, weights) for name in defined], axis=0)
    return bootstrap.with_interval(value, bootstrap.percentile_interval(replicates))


def _replicated_auc(predictions: pd.DataFrame, name: str, weights: npt.NDArray) -> npt.NDArray:
    is_known = (predictions[f"t_{name}"] >= 0).to_numpy()
    rows = predictions[is_known]
    return bootstrap.weighted_metrics(rows[f"t_{name}"], rows[f"p_{name}"], 0.5, weights[:, is_known])["auc"]
