"""Operating points: thresholds of the decision, each chosen by a rule on validation images only.

A threshold lies midway between two neighbouring probabilities, so that no image sits on it and an export's rounding
flips no decision.
"""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

YOUDEN = "Youden's J"
FALLBACK = 0.5
TARGETS = (0.95,)
"""Sensitivity, and specificity, that an operating point is chosen to reach."""


@dataclasses.dataclass(frozen=True)
class Costs:
    """What errors cost, and how often there is disease where the model is to be used.

    Attributes:
      false_negative: cost of an image with disease called negative, in any unit.
      false_positive: cost of an image without called positive, in the same unit.
      prevalence: share of images with disease, in [0, 1]; that of the validation images if None.
    """

    false_negative: float = 1.0
    false_positive: float = 1.0
    prevalence: float | None = None


def choose_threshold(predictions: pd.DataFrame, split: str = "validation") -> dict[str, Any]:
    """Threshold with the highest Youden's J (sensitivity + specificity - 1).

    Of several best ones it is the lowest: the most sensitive.

    Args:
      predictions: `target` (1 for the positive class, else 0) and `probability` of each image.
      split: the part they come from.

    Returns:
      `threshold`, `threshold_rule`, `split` and `images`. Where the images leave no choice (one class only,
      or the same probability for all) the threshold is 0.5 and the rule says why.
    """
    cuts = _Cuts(predictions)
    inner = cuts.thresholds[1:-1]  # the outer ones call every image the same
    if not cuts.both_classes:
        threshold, rule = FALLBACK, f"{FALLBACK}, since {split} holds one class only"
    elif not len(inner):
        threshold, rule = FALLBACK, f"{FALLBACK}, since all probabilities of {split} are equal"
    else:
        youden = np.round(cuts.sensitivity + cuts.specificity, 12)[1:-1]
        threshold, rule = float(inner[np.argmax(youden)]), f"{YOUDEN} on {split}"
    return {"threshold": threshold, "threshold_rule": rule, "split": split, "images": len(predictions)}


def choose(predictions: pd.DataFrame, costs: Costs | None = None, split: str = "validation") -> list[dict[str, Any]]:
    """All operating points, with what they reach on the images that they were chosen on.

    Args:
      predictions: `target` (1 for the positive class, else 0), `probability` and `group_id` of each image.
      costs: of errors; without them there is no operating point `costs`.
      split: the part they come from.

    Returns:
      Operating points `youden`, `sensitivity_0.95` (the highest threshold that reaches it), `specificity_0.95` (the
      lowest) and `costs` (the lowest expected cost): `name`, `threshold`, `rule`, `sensitivity` and `specificity` with
      `value`, `low` and `high` (95 %, over groups; None where undefined). Of images of one class there is the first
      only; one that no threshold reaches is left out.
    """
    cuts = _Cuts(predictions)
    youden = choose_threshold(predictions, split)
    chosen: list[tuple[str, float, str]] = [("youden", youden["threshold"], youden["threshold_rule"])]
    if cuts.both_classes:
        for target in TARGETS:
            reached = cuts.thresholds[cuts.sensitivity >= target - 1e-12]
            rule = f"highest threshold with sensitivity {target} or more on {split}"
            chosen += [(f"sensitivity_{target}", float(reached[-1]), rule)]
            reached = cuts.thresholds[cuts.specificity >= target - 1e-12]
            rule = f"lowest threshold with specificity {target} or more on {split}"
            chosen += [(f"specificity_{target}", float(one), rule) for one in reached[:1]]
        if costs:
            chosen.append(("costs", *_cheapest(cuts, costs, split)))
    return [
        {"name": name, "threshold": threshold, "rule": rule, **_reached(predictions, threshold)}
        for name, threshold, rule in chosen
    ]


class _Cuts:
    """Every threshold that decides otherwise than its neighbours, in rising order, and what it reaches.

    Attributes:
      thresholds: (cuts,): below all probabilities, midway between each two neighbours, above all.
      sensitivity: (cuts,), of the decision at and above each threshold; not a number without positive images.
      specificity: (cuts,); not a number without negative images.
      prevalence: share of positive images; not a number without images.
      both_classes: whether there are images of both classes.
    """

    def __init__(self, predictions: pd.DataFrame) -> None:
        target = predictions["target"].to_numpy(int)
        probability = predictions["probability"].to_numpy(float)
        levels = np.unique(probability)
        outer = np.concatenate([[0.0], levels, [1.0]])
        self.thresholds = (outer[1:] + outer[:-1]) / 2
        self.both_classes = len(np.unique(target)) > 1
        positive, negative = np.sort(probability[target == 1]), np.sort(probability[target == 0])
        with np.errstate(invalid="ignore"):
            self.sensitivity = 1 - np.searchsorted(positive, self.thresholds) / np.float64(len(positive))
            self.specificity = np.searchsorted(negative, self.thresholds) / np.float64(len(negative))
            self.prevalence = float(len(positive) / np.float64(len(target)))


def _cheapest(cuts: _Cuts, costs: Costs, split: str) -> tuple[float, str]:
    prevalence = cuts.prevalence if costs.prevalence is None else costs.prevalence
    missed = costs.false_negative * prevalence * (1 - cuts.sensitivity)
    false_alarms = costs.false_positive * (1 - prevalence) * (1 - cuts.specificity)
    expected = np.round(missed + false_alarms, 12)
    rule = (
        f"lowest expected cost on {split}: a false negative {costs.false_negative:g}, "
        f"a false positive {costs.false_positive:g}, prevalence {prevalence:.3g}"
    )
    return float(cuts.thresholds[np.argmin(expected)]), rule


def _reached(predictions: pd.DataFrame, threshold: float) -> dict[str, dict[str, float | None]]:
    target, probability, groups = (predictions[name].to_numpy() for name in ("target", "probability", "group_id"))
    values = metrics_lib.binary_metrics(target, probability, threshold)
    intervals = bootstrap.bootstrap(target, probability, groups, threshold).intervals
    found = {}
    for ours, name in (("sensitivity", "recall"), ("specificity", "specificity")):
        found[ours] = bootstrap.with_interval(values[name], intervals[name])
    return found
