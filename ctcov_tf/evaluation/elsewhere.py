"""A run judged on the test part of a dataset that it was not trained on, as in Table IV.

Nothing is fitted to the other dataset: weights, temperature and threshold are those of the run. It has to hold the
run's positive class; its other classes together are negative. The row without pixels is fitted to the metadata of the
run's own training images, as the network to their pixels.
"""

import dataclasses
import datetime
import pathlib
from typing import Any

import keras
import pandas as pd

from ctcov_tf import RESEARCH_USE, errors, files
from ctcov_tf.config import DataConfig
from ctcov_tf.datasets import contents
from ctcov_tf.datasets.opening import open_dataset
from ctcov_tf.evaluation import metadata_classifier, tables
from ctcov_tf.evaluation.predictions import predict_split, with_targets
from ctcov_tf.evaluation.report import METRIC_TITLES
from ctcov_tf.evaluation.summary import SEED, auc_difference, known, summarise
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

FORMAT = 1
SPLIT = "test"


def metrics_file(run: RunDirectory, data: DataConfig) -> pathlib.Path:
    """Where the metrics on another dataset stand."""
    return _folder(run, data) / "metrics.json"


def is_evaluated(run: RunDirectory, data: DataConfig) -> bool:
    """Whether the run has been judged on these images."""
    path = metrics_file(run, data)
    return path.is_file() and run.read_json(path, "evaluate again")["sha256"] == contents.manifest(data)["sha256"]


def predict(run: RunDirectory, data: DataConfig, model: keras.Model | None = None) -> pd.DataFrame:
    """Predicts the other dataset's test part, or reads what an earlier call has kept.

    Args:
      run: a finished run with a binary head.
      data: the other dataset.
      model: the run's network, where it is loaded already.

    Returns:
      What `predict_split` gives.

    Raises:
      CtcovError: the run's head is not binary, or the dataset lacks its positive class or is not built.
    """
    return predict_split(_as_if_of(run, data), SPLIT, model, path=_folder(run, data) / f"{SPLIT}.csv")


def evaluate(run: RunDirectory, data: DataConfig, *, reason: str) -> dict[str, Any]:
    """Judges a run on another dataset's test part: writes metrics and predictions, and logs the reading.

    Args:
      run: a finished run with a binary head.
      data: the other dataset.
      reason: what the reading is for.

    Returns:
      What `elsewhere/<dataset>/metrics.json` holds.

    Raises:
      CtcovError: the run is not finished, its head is not binary, or the dataset lacks its positive class or is not
        built.
    """
    chosen = run.read_json(run.calibration_file, f"finish the run with train.py --resume {run.path}")
    there = _as_if_of(run, data)
    there.log_test_reading(SPLIT, reason)
    predictions = known(predict(run, data))
    train, validation = (known(with_targets(run, contents.metadata(run.config.data, part))) for part in _FITTED)
    alone = metadata_classifier.predict_parts(train, validation, {SPLIT: predictions}, seed=SEED)
    metrics = {
        "format": FORMAT,
        "preset": run.preset,
        "trained_on": run.manifest["name"],
        "dataset": there.manifest["name"],
        "sha256": there.manifest["sha256"],
        "synthetic": there.manifest["name"].startswith("phantom"),
        "shares_groups": open_dataset(data.dataset, data.data_dir).shares_groups,
        "positive": run.labels.positive,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "reason": reason,
        "threshold": chosen,
        "bootstrap": {"unit": "group", "replicates": bootstrap.REPLICATES, "seed": SEED, "level": bootstrap.LEVEL},
        "splits": {SPLIT: summarise(predictions, chosen["threshold"])},
        "metadata_only": {
            split: summarise(frame, frame.attrs["threshold"]) | {"auc_difference": auc_difference(predictions, frame)}
            for split, frame in alone.items()
        },
        "warnings": [],
        "notice": RESEARCH_USE,
    }
    files.write_json(metrics_file(run, data), metrics)
    return metrics


def table(metrics: dict[str, Any]) -> str:
    """What `evaluate` returned, as text for the terminal."""
    columns = {SPLIT: metrics["splits"][SPLIT]}
    if metrics["metadata_only"]:
        columns["metadata only"] = metrics["metadata_only"][SPLIT]
    rows = [["", *columns], ["images (groups)", *(f"{one['images']} ({one['groups']})" for one in columns.values())]]
    for name in metrics_lib.NAMES:
        rows.append([METRIC_TITLES[name], *(tables.number(one["metrics"][name]) for one in columns.values())])
    return "\n".join(
        [
            f"{metrics['preset']}, trained on {metrics['trained_on']}, on {metrics['dataset']}, "
            f"positive {metrics['positive']}",
            "",
            tables.aligned(rows),
            "",
            f"threshold {metrics['threshold']['threshold']:.3f}, of the run's own validation part; "
            "brackets: 95 % interval over groups",
        ]
    )


_FITTED = ("train", "validation")


def _folder(run: RunDirectory, data: DataConfig) -> pathlib.Path:
    return run.path / "elsewhere" / data.dataset.replace("/", "_").replace(":", "_")


def _as_if_of(run: RunDirectory, data: DataConfig) -> RunDirectory:
    """The run with another dataset in place of its own, in memory only."""
    if run.labels.head != "binary":
        raise errors.CtcovError(
            f"{run.path}: its head is {run.labels.head}: another dataset can only judge a run with --head binary"
        )
    data = dataclasses.replace(data, positive=run.labels.positive)
    return dataclasses.replace(
        run,
        config=dataclasses.replace(run.config, data=data),
        labels=contents.labels_of(data, "binary"),
        manifest=contents.manifest(data),
    )
