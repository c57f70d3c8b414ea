"""Means over seeds of compared runs: runs that differ in nothing but the seed are one configuration."""

from collections.abc import Mapping
import dataclasses
import pathlib
from typing import Any

from ctcov_tf.evaluation import across_seeds, tables
from ctcov_tf.evaluation.comparison import SPLIT, on_difference
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.evaluation.summary import known
from ctcov_tf.run_directory import RunDirectory

STATISTICS = (
    "Runs whose config.json differ in nothing but the seed are one configuration. AUC: mean over seeds ± standard "
    "deviation over seeds; brackets: 95 % interval of that mean over groups (patients), same replicates as above. "
    "Difference: of the mean AUC to the first configuration, with its interval over groups and seeds; of a single "
    "training it covers no other seed."
)


def summarise(runs: Mapping[str, RunDirectory], thresholds: Mapping[str, float]) -> dict[str, Any] | None:
    """Compares configurations by their means over seeds on the test part.

    Args:
      runs: comparable, evaluated runs by name; the configuration of the first is the one that the others are held
        against.
      thresholds: of each run's decision, by the same names.

    Returns:
      `configurations`: for each `runs` (the seed of each by name), and what `across_seeds.summarise` gives; and
      `remarks`. None where no configuration has been trained with more than one seed.
    """
    found = configurations(runs)
    if all(len(set(seeds.values())) == 1 for seeds in found):
        return None
    scores = {
        _title(seeds): across_seeds.scores(
            [known(predict_split(runs[name], SPLIT)) for name in seeds],
            [thresholds[name] for name in seeds],
            [known(predict_split(runs[name], "validation")) for name in seeds],
        )
        for seeds in found
    }
    reference = _title(found[0])
    summary = across_seeds.summarise(scores, reference)
    remarks = [on_difference(title, one, reference) for title, one in summary.items() if title != reference]
    remarks += [
        f"{_title(seeds)}: runs of the same seed are among these, and count as if their seeds differed."
        for seeds in found
        if len(set(seeds.values())) < len(seeds)
    ]
    return {"configurations": [{"runs": seeds, **summary[_title(seeds)]} for seeds in found], "remarks": remarks}


def configurations(runs: Mapping[str, RunDirectory]) -> list[dict[str, int]]:
    """The runs of each configuration: those whose `config.json` differ in nothing but the seed.

    Args:
      runs: by name.

    Returns:
      The seed of each run by its name, for each configuration, in the order of their first runs.
    """
    found: list[tuple[RunDirectory, dict[str, int]]] = []
    for name, run in runs.items():
        alike = _without_seed(run)
        seeds = next((seeds for other, seeds in found if other == alike), None)
        if seeds is None:
            seeds = {}
            found.append((alike, seeds))
        seeds[name] = run.config.train.seed
    return [seeds for _, seeds in found]


def rows(means: dict[str, Any]) -> list[list[str]]:
    """The heading, then one row a configuration.

    Args:
      means: what `summarise` gave.
    """
    heading = ["runs", "seeds", "mean AUC", "difference of mean AUC"]
    return [
        heading,
        *(
            [
                _title(one["runs"]),
                ", ".join(map(str, one["runs"].values())),
                tables.mean(one["metrics"]["auc"]),
                tables.number(one["auc_difference"], "+.3f") if one["auc_difference"] else tables.DASH,
            ]
            for one in means["configurations"]
        ),
    ]


def _title(seeds: Mapping[str, int]) -> str:
    return ", ".join(seeds)


def _without_seed(run: RunDirectory) -> RunDirectory:
    config = dataclasses.replace(run.config, train=dataclasses.replace(run.config.train, seed=0))
    return dataclasses.replace(run, path=pathlib.Path(), config=config)
