"""Statistics of methods or configurations that were each trained with several seeds and judged on the same images.

- A metric of a method is the mean over its seeds, each at the threshold that its own validation chose; beside it the
  standard deviation over seeds.
- Its interval is a bootstrap over groups (patients) of that mean: a replicate draws groups, computes the metric of
  every seed on them, and takes the mean. All methods see the same replicates. It tells what another draw of patients
  would change, the standard deviation what another seed would.
- The interval of a difference between two methods has to cover both: each replicate draws the seeds of each method as
  well, with replacement. Of few seeds such draws vary somewhat less than new trainings would.
- DeLong's and McNemar's tests need one score an image: the mean of the seeds' probabilities, whose threshold is chosen
  on the same mean over the validation images. Both are corrected for the number of methods compared (Holm).
"""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf import errors
from ctcov_tf.calibration import operating_points
from ctcov_tf.evaluation.comparison import correct_for_several, tests
from ctcov_tf.evaluation.summary import SEED
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib


@dataclasses.dataclass(frozen=True)
class Scores:
    """What the seeds of a method say of the judged images.

    Attributes:
      image_ids: (n,), name of each image.
      target: (n,), 1 for the positive class, else 0.
      groups: (n,), each image's group.
      probabilities: (seeds, n), of the positive class, in [0, 1].
      thresholds: (seeds,), of the decision of each seed.
      mean_threshold: of the decision by the mean of the seeds' probabilities.
    """

    image_ids: npt.NDArray
    target: npt.NDArray
    groups: npt.NDArray
    probabilities: npt.NDArray
    thresholds: npt.NDArray
    mean_threshold: float

    @property
    def mean(self) -> npt.NDArray:
        """(n,), the mean of the seeds' probabilities."""
        return self.probabilities.mean(axis=0)


def scores(judged: Sequence[pd.DataFrame], thresholds: Sequence[float], validation: Sequence[pd.DataFrame]) -> Scores:
    """What the seeds of a method say, from the tables of their predictions.

    Args:
      judged: of each seed, the judged images whose target is known.
      thresholds: of each seed's decision.
      validation: of each seed, the validation images whose target is known.
    """
    mean = validation[0].assign(probability=np.mean([one["probability"] for one in validation], axis=0))
    return Scores(
        image_ids=judged[0]["image_id"].to_numpy(),
        target=judged[0]["target"].to_numpy(),
        groups=judged[0]["group_id"].to_numpy(),
        probabilities=np.stack([one["probability"].to_numpy() for one in judged]),
        thresholds=np.array(thresholds),
        mean_threshold=operating_points.choose_threshold(mean)["threshold"],
    )


def summarise(
    methods: Mapping[str, Scores], reference: str, *, replicates: int = bootstrap.REPLICATES, seed: int = SEED
) -> dict[str, dict[str, Any]]:
    """All numbers of all methods.

    Args:
      methods: by name, of the same images in the same order.
      reference: name of the one that the others are held against.
      replicates: how many resamplings of groups.
      seed: of the resampling.

    Returns:
      For each method `seeds`; `metrics`: `value` (mean over seeds), `sd` (None with one seed), `low`, `high` and
      `by_seed` by name, None where undefined; `averaged`: `auc`, `accuracy` and `threshold` of the mean probability;
      `auc_difference` to the reference, of the mean over seeds (`value`, `low`, `high`, over patients and seeds); and
      `tests` against it, with `p_value_holm`. The last two are None for the reference.

    Raises:
      CtcovError: the methods were judged on other images than the reference.
    """
    held = methods[reference]
    for name, scores in methods.items():
        if not np.array_equal(scores.image_ids, held.image_ids) or not np.array_equal(scores.target, held.target):
            raise errors.CtcovError(
                f"{name}: was judged on other images than {reference}: choose another --out and train both there"
            )
    weights = bootstrap.replicate_weights(held.groups, replicates, seed)
    several_groups = len(np.unique(held.groups)) > 1
    resampled = {name: _resampled(scores, weights) for name, scores in methods.items()}
    generator = np.random.default_rng(seed)
    found: dict[str, dict[str, Any]] = {}
    for name, scores in methods.items():
        other = name != reference
        by_seed = [
            metrics_lib.binary_metrics(scores.target, row, cut)
            for row, cut in zip(scores.probabilities, scores.thresholds, strict=True)
        ]
        averaged = metrics_lib.binary_metrics(scores.target, scores.mean, scores.mean_threshold)
        found[name] = {
            "seeds": len(by_seed),
            "metrics": {
                metric: _across(
                    [one[metric] for one in by_seed],
                    _mean_of_defined(resampled[name][metric]) if several_groups else None,
                )
                for metric in metrics_lib.NAMES
            },
            "averaged": {
                "auc": averaged["auc"],
                "accuracy": averaged["accuracy"],
                "threshold": scores.mean_threshold,
            },
            "auc_difference": None,
            "tests": tests(held.target, scores.mean, scores.mean_threshold, held.mean, held.mean_threshold)
            if other
            else None,
        }
    for name in methods:
        if name != reference:
            of_method, of_reference = (_of_drawn_seeds(resampled[one]["auc"], generator) for one in (name, reference))
            gap = of_method - of_reference
            found[name]["auc_difference"] = _difference(
                found[name]["metrics"]["auc"]["value"],
                found[reference]["metrics"]["auc"]["value"],
                bootstrap.percentile_interval(gap) if several_groups else None,
            )
    correct_for_several(found)
    return found


def _resampled(scores: Scores, weights: npt.NDArray) -> dict[str, npt.NDArray]:
    """Each metric of each seed in each replicate, (seeds, replicates); NaN where undefined."""
    of_seeds = [
        bootstrap.weighted_metrics(scores.target, row, cut, weights)
        for row, cut in zip(scores.probabilities, scores.thresholds, strict=True)
    ]
    return {metric: np.stack([one[metric] for one in of_seeds]) for metric in metrics_lib.NAMES}


def _of_drawn_seeds(values: npt.NDArray, generator: np.random.Generator) -> npt.NDArray:
    """The mean over as many seeds as there are, drawn anew in each replicate, (replicates,)."""
    drawn = generator.integers(len(values), size=values.shape)
    return _mean_of_defined(np.take_along_axis(values, drawn, axis=0))


def _mean_of_defined(values: npt.NDArray) -> npt.NDArray:
    """The mean over the seeds that define a replicate's value, (replicates,)."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(defined, values, 0.0).sum(axis=0) / defined.sum(axis=0)


def _across(by_seed: list[float | None], resampled: npt.NDArray | None) -> dict[str, Any]:
    defined = [value for value in by_seed if value is not None]
    interval = bootstrap.percentile_interval(resampled) if defined and resampled is not None else None
    return {
        **bootstrap.with_interval(float(np.mean(defined)) if defined else None, interval),
        "sd": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        "by_seed": by_seed,
    }


def _difference(
    of_method: float | None, of_reference: float | None, interval: bootstrap.Interval | None
) -> dict[str, float | None]:
    if of_method is None or of_reference is None:
        return bootstrap.with_interval(None, None)
    return bootstrap.with_interval(of_method - of_reference, interval)
