"""What do intervals by patient cost: a bootstrap of every metric, beside a loop over scikit-learn?

    python -m benchmarks.statistics [--images N] [--groups N] [--rounds N] [--json] [--record FILE]

Drawn scores of as many images as a test part has, in groups of unequal size, as patients give them. `ctcov bootstrap`
draws 2,000 replicates and computes all seven metrics of each and their intervals. The loop computes the AUC alone; it
runs over fewer replicates, and its time is multiplied. Their AUCs are compared before anything is timed. `ctcov
calibration` is the report's whole section of that name, `ctcov DeLong` the test of two AUCs, without groups. Goal: 2 s
for the bootstrap of 2,700 images.
"""

import dataclasses
import os

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as sk
import tyro

from benchmarks import record, timing
from ctcov_tf.evaluation import calibration
from ctcov_tf.statistics import bootstrap, delong, metrics

GOAL_SECONDS = 2.0
OURS, LOOP = "ctcov bootstrap, 7 metrics", "loop over scikit-learn, AUC alone"
CALIBRATION, DELONG = "ctcov calibration", "ctcov DeLong"


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """What is measured, and how often."""

    images: int = 2700
    """Images of the part."""
    groups: int = 1000
    """Groups that they come from."""
    replicates: int = bootstrap.REPLICATES
    """Replicates of the bootstrap."""
    loop_replicates: int = 100
    """Replicates that the loop runs over; its time is multiplied up to the others'."""
    rounds: int = 7
    """Measured rounds."""


def main(options: Options) -> None:
    """Measures, prints and records."""
    labels, first, second, groups = draw(options.images, options.groups)
    weights = bootstrap.replicate_weights(groups, options.loop_replicates)
    gap = float(np.max(np.abs(loop(labels, first, weights) - ours(labels, first, weights))))
    if gap > 1e-12:
        raise SystemExit(f"the AUCs differ by {gap}")
    frame = pd.DataFrame({"target": labels, "probability": first, "group_id": groups})
    chosen = {"threshold": 0.5, "threshold_rule": "given"}
    seconds = timing.in_turns(
        {
            OURS: lambda: bootstrap.bootstrap(labels, first, groups, 0.5, replicates=options.replicates),
            LOOP: lambda: loop(labels, first, weights),
            CALIBRATION: lambda: calibration.summarise(frame, chosen),
            DELONG: lambda: delong.compare(labels, first, second),
        },
        options.rounds,
    )
    scale = options.replicates / options.loop_replicates
    seconds[LOOP] = [scale * one for one in seconds[LOOP]]
    values = {name: timing.spread(taken) for name, taken in seconds.items()}
    name = f"{options.images} images of {options.groups} groups, {options.replicates} replicates"
    facts = {
        OURS: {"metrics": len(metrics.NAMES)},
        LOOP: {"replicates run": options.loop_replicates, "largest difference of an AUC": gap},
    }
    ratios = {f"{LOOP} over {OURS}": timing.ratio(seconds[LOOP], seconds[OURS])}
    settings = dataclasses.asdict(options) | {"load_at_end": os.getloadavg()[0]}
    settings = {key: value for key, value in settings.items() if key not in ("json", "record")}
    goal = record.Goal(f"{OURS}, s", values[OURS]["median"], GOAL_SECONDS)
    case = record.Case(name, "s", values, ratios, facts)
    record.publish(record.make("statistics", settings, [case], [goal]), options)


def draw(images: int, groups: int, seed: int = 0) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray]:
    """Labels (0 or 1), two classifiers' probabilities and groups of drawn images, each (images,).

    A group is of one class, and its images resemble each other. A few groups have many images.
    """
    generator = np.random.default_rng(seed)
    shares = generator.pareto(1.5, groups) + 1
    members = np.r_[np.arange(groups), generator.choice(groups, images - groups, p=shares / shares.sum())]
    labels = generator.integers(0, 2, groups)[members]
    shared = generator.normal(size=groups)[members]
    first, second = (
        1 / (1 + np.exp(-(1.5 * (labels - 0.5) + shared + generator.normal(size=images)))) for _ in range(2)
    )
    return labels, first, second, members.astype(str)


def loop(labels: npt.NDArray, probabilities: npt.NDArray, weights: npt.NDArray) -> npt.NDArray:
    """AUC of each weighting, one after the other."""
    return np.array([sk.roc_auc_score(labels, probabilities, sample_weight=row) for row in weights])


def ours(labels: npt.NDArray, probabilities: npt.NDArray, weights: npt.NDArray) -> npt.NDArray:
    """AUC of each weighting."""
    return bootstrap.weighted_metrics(labels, probabilities, 0.5, weights)["auc"]


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
