"""The evaluation of a run: reads each part once and writes metrics, figures and report."""

from collections.abc import Sequence
import datetime
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf import RESEARCH_USE, files, input_pipeline
from ctcov_tf.evaluation import (
    examples,
    figures,
    intervals,
    metadata_classifier,
    pointing_game,
    remarks,
    report,
    threshold,
)
from ctcov_tf.evaluation import metrics as metrics_lib
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.model_info import Labels
from ctcov_tf.run_directory import RunDirectory

FORMAT = 1
SEED = 0


def evaluate(
    run: RunDirectory, splits: Sequence[str] = ("validation", "test"), *, reason: str, explain: bool = True
) -> dict[str, Any]:
    """Evaluates a run: writes metrics.json, figures and report.html, and logs a reading of the test part.

    Args:
      run: a finished run.
      splits: parts to read.
      reason: what a reading of the test part is for.
      explain: whether to draw example cases and to play the pointing game.

    Returns:
      What metrics.json holds.

    Raises:
      CtcovError: the run is not finished, or its dataset is missing.
    """
    chosen = run.read_json(run.calibration_file, f"finish the run with train.py --resume {run.path}")
    if "test" in splits:
        run.log_test_reading("test", reason)
    model = run.load_model()
    predictions = {split: predict_split(run, split, model) for split in dict.fromkeys(splits)}
    metadata = _predict_from_metadata(run, predictions)
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "preset": run.preset,
        "dataset": run.manifest["name"],
        "synthetic": run.manifest["name"].startswith("phantom"),
        "positive": run.labels.positive,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "reason": reason,
        "threshold": chosen,
        "bootstrap": {"unit": "group", "replicates": intervals.REPLICATES, "seed": SEED, "level": intervals.LEVEL},
        "splits": {
            split: summarise(frame, chosen["threshold"], run.labels) | {"groups_in_train": _groups_in_train(run, frame)}
            for split, frame in predictions.items()
        },
        "metadata_only": {
            split: summarise(frame, frame.attrs["threshold"])
            | {"auc_difference": _difference(predictions[split], frame)}
            for split, frame in metadata.items()
        },
        "pointing_game": None,
        "test_readings": _count_lines(run.test_readings_file),
        "notice": RESEARCH_USE,
    }
    judged = remarks.judged_split(metrics)
    cases: list[dict[str, Any]] = []
    if explain and judged and len(predictions[judged]):
        metrics["pointing_game"] = pointing_game.play(run, judged, model)
        cases = examples.draw_cases(run, judged, predictions[judged], chosen["threshold"], model)
    metrics["remarks"] = remarks.remarks(metrics)
    _draw(run, metrics, predictions, metadata)
    files.write_json(run.metrics_file, metrics)
    files.write_text(run.report_file, report.render(run, metrics, cases))
    return metrics


def summarise(predictions: pd.DataFrame, cut: float, labels: Labels | None = None) -> dict[str, Any]:
    """All numbers of one classifier on one part.

    Args:
      predictions: `target`, `probability` and `group_id` of each image; with several outputs also `label`
        and `p_<output>`.
      cut: threshold of the decision.
      labels: of the network; None for a binary classifier without.

    Returns:
      Counts of `images`, `groups` and `positives`; `metrics`: `value`, `low` and `high` by name, None where
      undefined; `confusion`; `threshold`; `one_class_replicates`; `classes`: metrics over the classes, or None.
    """
    target, probability, groups = (predictions[name].to_numpy() for name in ("target", "probability", "group_id"))
    values = metrics_lib.binary_metrics(target, probability, cut)
    found = intervals.bootstrap(target, probability, groups, cut, seed=SEED)
    classes = None
    if labels and labels.exclusive:
        outputs = predictions[[f"p_{name}" for name in labels.outputs]]
        classes = metrics_lib.class_metrics(predictions["label"], outputs, labels.outputs)
    return {
        "images": len(predictions),
        "groups": found.groups,
        "positives": int(target.sum()),
        "threshold": cut,
        "metrics": {name: _with_interval(value, found.intervals[name]) for name, value in values.items()},
        "confusion": metrics_lib.confusion(target, probability, cut),
        "one_class_replicates": found.one_class_replicates,
        "classes": classes,
    }


def table(metrics: dict[str, Any]) -> str:
    """The metrics as a plain-text table for the terminal.

    Args:
      metrics: what `evaluate` returned.

    Returns:
      Lines of at most 100 characters or so: one a metric, one column a part, remarks below.
    """
    columns = report.columns(metrics)
    rows = [["", *columns], ["images (groups)", *(f"{one['images']} ({one['groups']})" for one in columns.values())]]
    for name in metrics_lib.NAMES:
        rows.append([report.METRIC_TITLES[name], *(_cell(one["metrics"][name]) for one in columns.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    chosen = metrics["threshold"]
    heading = f"{metrics['preset']} on {metrics['dataset']}, positive class {metrics['positive']}"
    footing = f"threshold {chosen['threshold']:.3f}: {chosen['threshold_rule']}; brackets: 95 % interval over groups"
    return "\n".join([heading, "", *lines, "", footing, *(f"- {remark}" for remark in metrics["remarks"])])


def _predict_from_metadata(run: RunDirectory, predictions: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Predictions of the metadata classifier, fitted on train, its threshold chosen on validation."""

    def metadata(split: str) -> pd.DataFrame:
        if split in predictions:
            return predictions[split]
        frame = input_pipeline.metadata(run.config.data, split)
        return frame.assign(target=(frame["label"] == run.labels.positive_index).astype(int))

    classifier = metadata_classifier.fit(metadata("train"), seed=SEED)
    if classifier is None:
        return {}

    def predict(frame: pd.DataFrame) -> pd.DataFrame:
        kept = frame[["image_id", "group_id", "label", "target"]]
        return kept.assign(probability=metadata_classifier.predict(classifier, frame))

    cut = threshold.choose_threshold(predict(metadata("validation")))["threshold"]
    found = {split: predict(frame) for split, frame in predictions.items()}
    for frame in found.values():
        frame.attrs["threshold"] = cut
    return found


def _groups_in_train(run: RunDirectory, predictions: pd.DataFrame) -> int:
    return len(set(predictions["group_id"]) & set(input_pipeline.metadata(run.config.data, "train")["group_id"]))


def _difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, float | None]:
    """AUC of the model minus that of the metadata classifier, on the same images."""
    target, first, second = ours["target"].to_numpy(), ours["probability"].to_numpy(), theirs["probability"].to_numpy()
    values = [metrics_lib.binary_metrics(target, scores, 0.5)["auc"] for scores in (first, second)]
    if values[0] is None or values[1] is None:
        return _with_interval(None, None)
    groups = ours["group_id"].to_numpy()
    return _with_interval(values[0] - values[1], intervals.auc_difference(target, first, second, groups, seed=SEED))


def _draw(
    run: RunDirectory, metrics: dict[str, Any], predictions: dict[str, pd.DataFrame], metadata: dict[str, pd.DataFrame]
) -> None:
    cut = metrics["threshold"]["threshold"]
    judged = remarks.judged_split(metrics)
    curves = dict(predictions)
    if judged in metadata:
        curves["metadata only"] = metadata[judged]
    figures.save(figures.roc(curves, cut, band=judged), run.figures / "roc.png")
    figures.save(figures.precision_recall(curves, cut), run.figures / "precision_recall.png")
    for split, part in metrics["splits"].items():
        matrix, names = _matrix(part, run.labels)
        figures.save(figures.confusion(matrix, names, f"Confusion, {split}"), run.figures / f"confusion_{split}.png")
    if run.history_file.is_file():
        epochs = pd.read_csv(run.history_file)
        if len(epochs):
            figures.save(figures.history(epochs), run.figures / "history.png")


def _matrix(part: dict[str, Any], labels: Labels) -> tuple[npt.NDArray, Sequence[str]]:
    if part["classes"]:
        return np.array(part["classes"]["confusion_matrix"]), part["classes"]["class_names"]
    counts = part["confusion"]
    matrix = np.array([[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]])
    return matrix, [labels.positive, labels.negative]


def _with_interval(value: float | None, interval: intervals.Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"value": value, "low": low, "high": high}


def _cell(metric: dict[str, float | None]) -> str:
    if metric["value"] is None:
        return "undefined"
    interval = f" [{metric['low']:.3f}, {metric['high']:.3f}]" if metric["low"] is not None else ""
    return f"{metric['value']:.3f}{interval}"


def _count_lines(path: pathlib.Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0
