"""What the probabilities of one part are worth: calibration, operating points, net benefit, predictive values."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf.evaluation.summary import SEED
from ctcov_tf.statistics import bootstrap, metrics
from ctcov_tf.statistics import calibration as calibration_lib

STRATEGIES: tuple[calibration_lib.Strategy, ...] = ("equal_mass", "equal_width")
PREVALENCES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 50))

Estimate = dict[str, float | None]


def summarise(predictions: pd.DataFrame, chosen: dict[str, Any]) -> dict[str, Any] | None:
    """All numbers on the probability of the positive class.

    Args:
      predictions: `target`, 0 or 1, `probability` and `group_id` of each image; `uncalibrated`, the probability before
        temperature scaling, where there was any.
      chosen: the run's `calibration.json`: `threshold` and `threshold_rule`; `temperature` and `operating_points`
        where it has them.

    Returns:
      `images`, `groups`, `positives`, `temperature` (None where the run knows of none); `after` (and `before`
      temperature scaling, or None): what `_errors` gives; `decision_curve`: `thresholds`, net benefit `value`, `low`
      and `high`, and that of calling all positive, `all`; `operating_points`: what `_operating_point` gives of each.
      None where there is no image.
    """
    if predictions.empty:
        return None
    target, groups = predictions["target"].to_numpy(int), predictions["group_id"].to_numpy()
    probability = predictions["probability"].to_numpy(float)
    weights = bootstrap.replicate_weights(groups, seed=SEED)
    several = len(np.unique(groups)) > 1
    before = None
    if "uncalibrated" in predictions and chosen.get("temperature", 1.0) != 1.0:
        before = _errors(target, predictions["uncalibrated"].to_numpy(float), groups, weights)
    benefit = calibration_lib.net_benefit(target, probability, THRESHOLDS)[0]
    replicates = calibration_lib.net_benefit(target, probability, THRESHOLDS, weights)
    of_all = calibration_lib.net_benefit(target, np.ones(len(target)), THRESHOLDS)[0]
    return {
        "images": len(target),
        "groups": len(np.unique(groups)),
        "positives": int(target.sum()),
        "temperature": chosen.get("temperature"),
        "after": _errors(target, probability, groups, weights),
        "before": before,
        "decision_curve": {"thresholds": list(THRESHOLDS), "all": of_all.tolist()}
        | _as_lists([_estimate(*pair, several) for pair in zip(benefit, replicates.T, strict=True)]),
        "operating_points": [
            _operating_point(point, target, probability, weights, several) for point in points(chosen)
        ],
    }


def points(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """The operating points that validation chose, that of the run's decision first.

    Args:
      chosen: the run's `calibration.json`.

    Returns:
      `name`, `threshold` and `rule` of each, and `sensitivity` and `specificity` on validation where they are known.
    """
    known = chosen.get("operating_points") or []
    decision = [point for point in known if point["threshold"] == chosen["threshold"]][:1]
    others = [point for point in known if point not in decision]
    own = {"name": "threshold", "threshold": chosen["threshold"], "rule": chosen["threshold_rule"]}
    return [*(decision or [own]), *others]


def _errors(target: npt.NDArray, probability: npt.NDArray, groups: npt.NDArray, weights: npt.NDArray) -> dict[str, Any]:
    """How far the probabilities are off.

    Returns:
      `expected_calibration_error` by strategy, with `if_calibrated` (`mean` and `high`, the 97.5th percentile, of the
      error that a perfectly calibrated classifier would show on so many images); `brier` and, by `brier_of_prevalence`,
      that of giving every image the share of positives; `in_the_large`: mean probability less that share;
      `reliability` by strategy: `low`, `high`, `images`, `probability` and `positives` of the bins.
    """
    several = len(np.unique(groups)) > 1
    errors: dict[str, Any] = {}
    diagrams: dict[str, Any] = {}
    for strategy in STRATEGIES:
        value = calibration_lib.calibration_error(target, probability, strategy)[0]
        replicates = calibration_lib.calibration_error(target, probability, strategy, weights)
        # a replicate's error exceeds the part's by the noise of the drawing: the interval is moved back by it
        centred = np.clip(replicates - replicates.mean() + value, 0, 1)
        expected = calibration_lib.calibration_error_if_calibrated(
            probability, groups, strategy, replicates=bootstrap.REPLICATES, seed=SEED
        )
        errors[strategy] = _estimate(value, centred, several) | {
            "if_calibrated": {"mean": float(expected.mean()), "high": float(np.quantile(expected, 0.975))}
        }
        bins = calibration_lib.reliability(target, probability, strategy)
        diagrams[strategy] = {name: values.tolist() for name, values in vars(bins).items()}
    prevalence = float(target.mean())
    excess = bootstrap.weighted_sums(weights, (probability - target)[:, np.newaxis])[:, 0] / weights.sum(axis=1)
    return {
        "expected_calibration_error": errors,
        "brier": _estimate(
            calibration_lib.brier_score(target, probability)[0],
            calibration_lib.brier_score(target, probability, weights),
            several,
        ),
        "brier_of_prevalence": prevalence * (1 - prevalence),
        "in_the_large": _estimate(probability.mean() - prevalence, excess, several),
        "reliability": diagrams,
    }


def _operating_point(
    point: dict[str, Any], target: npt.NDArray, probability: npt.NDArray, weights: npt.NDArray, several: bool
) -> dict[str, Any]:
    """What a threshold does on this part.

    Returns:
      `name`, `threshold` and `rule`; `validation`: sensitivity and specificity there, where they are known;
      `sensitivity` and `specificity` here; `predictive_values`: `prevalences`, and `positive` and `negative` over them.
    """
    cut = point["threshold"]
    values = metrics.binary_metrics(target, probability, cut)
    found = bootstrap.weighted_metrics(target, probability, cut, weights)
    sensitivity, specificity = (
        np.nan if (value := values[name]) is None else value for name in ("recall", "specificity")
    )
    here = calibration_lib.predictive_values(sensitivity, specificity, PREVALENCES)
    replicates = calibration_lib.predictive_values(
        found["recall"][:, np.newaxis], found["specificity"][:, np.newaxis], PREVALENCES
    )
    positive, negative = (
        _as_lists([_estimate(*pair, several) for pair in zip(value, replicate.T, strict=True)])
        for value, replicate in zip(here, replicates, strict=True)
    )
    return {
        "name": point["name"],
        "threshold": cut,
        "rule": point["rule"],
        "validation": {name: point[name] for name in ("sensitivity", "specificity") if name in point},
        "sensitivity": _estimate(sensitivity, found["recall"], several),
        "specificity": _estimate(specificity, found["specificity"], several),
        "predictive_values": {"prevalences": list(PREVALENCES), "positive": positive, "negative": negative},
    }


def _estimate(value: float, replicates: npt.NDArray, several: bool) -> Estimate:
    """A value and its interval; undefined ones are None."""
    if not np.isfinite(value):
        return bootstrap.with_interval(None, None)
    return bootstrap.with_interval(float(value), bootstrap.percentile_interval(replicates) if several else None)


def _as_lists(estimates: list[Estimate]) -> dict[str, list[float | None]]:
    return {name: [estimate[name] for estimate in estimates] for name in ("value", "low", "high")}
