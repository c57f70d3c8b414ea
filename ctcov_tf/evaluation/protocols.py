"""The evaluation of a run: reads each part once and writes metrics, figures and report."""

from collections.abc import Sequence
import datetime
import pathlib
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf import RESEARCH_USE, files
from ctcov_tf.datasets import contents
from ctcov_tf.datasets.opening import open_dataset
from ctcov_tf.evaluation import (
    calibration,
    calibration_figures,
    controls,
    examples,
    figures,
    findings,
    metadata_classifier,
    panels,
    pointing_game,
    remarks,
    report,
    sources,
    subgroups,
    summary,
    tables,
)
from ctcov_tf.evaluation.explanation import checks
from ctcov_tf.evaluation.predictions import predict_split, with_targets
from ctcov_tf.evaluation.summary import SEED, auc_difference, known, summarise
from ctcov_tf.model_info import Labels
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

FORMAT = 1


def evaluate(
    run: RunDirectory, splits: Sequence[str] = ("validation", "test"), *, reason: str, explain: bool = True
) -> dict[str, Any]:
    """Evaluates a run: writes metrics.json, figures and report.html, and logs a reading of the test part.

    Args:
      run: a finished run.
      splits: parts to read.
      reason: what a reading of the test part is for.
      explain: whether to draw example cases, to play the pointing game and to check the heat maps.

    Returns:
      What metrics.json holds.

    Raises:
      CtcovError: the run is not finished, or its dataset is missing.
    """
    chosen = run.read_json(run.calibration_file, f"finish the run with train.py --resume {run.path}")
    if "test" in splits:
        run.log_test_reading("test", reason)
    model = run.load_model()
    whole = {split: predict_split(run, split, model) for split in dict.fromkeys(splits)}
    predictions = {split: known(frame) for split, frame in whole.items()}
    train = known(whole["train"] if "train" in whole else with_targets(run, _metadata(run, "train")))
    metadata = _predict_from_metadata(run, predictions, train)
    cut = chosen["threshold"]
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "preset": run.preset,
        "dataset": run.manifest["name"],
        "synthetic": run.manifest["name"].startswith("phantom"),
        "shares_groups": open_dataset(run.config.data.dataset, run.config.data.data_dir).shares_groups,
        "positive": run.labels.positive,
        "parts": [{"name": part.name, "preset": part.preset, "trained_on": part.trained_on} for part in run.parts],
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "reason": reason,
        "threshold": chosen,
        "bootstrap": {"unit": "group", "replicates": bootstrap.REPLICATES, "seed": SEED, "level": bootstrap.LEVEL},
        "splits": {
            split: summarise(frame, cut, run.labels) | _in_train(frame, train) for split, frame in predictions.items()
        },
        "same_source": _defined(
            {split: sources.summarise_same_source(frame, cut, run.labels) for split, frame in predictions.items()}
        ),
        "source_alone": _defined({split: sources.source_alone(train, frame) for split, frame in predictions.items()}),
        "metadata_only": {
            split: summarise(frame, frame.attrs["threshold"])
            | {"auc_difference": auc_difference(predictions[split], frame)}
            for split, frame in metadata.items()
        },
        "controls": {},
        "subgroups": {},
        "calibration": {},
        "findings": None,
        "pointing_game": None,
        "gate": _defined({split: summary.refused(frame) for split, frame in whole.items()}),
        "explanation": None,
        "test_readings": _count_lines(run.test_readings_file),
        "notice": RESEARCH_USE,
    }
    if run.labels.head == "findings":
        metrics["findings"] = {split: findings.summarise(frame, run.labels) for split, frame in whole.items()}
    judged = remarks.judged_split(metrics)
    if judged:
        metrics |= _on_part(run, judged, predictions[judged], chosen, model)
    cases: list[dict[str, Any]] = []
    if explain and judged and len(predictions[judged]):
        metrics["pointing_game"] = pointing_game.play(run, judged, model)
        metrics["explanation"] = checks.check(run, judged, whole[judged], cut, model)
        cases = examples.draw_cases(run, judged, whole[judged], cut, model)
    metrics["warnings"] = remarks.warnings(metrics)
    metrics["remarks"] = remarks.remarks(metrics)
    _draw(run, metrics, predictions, metadata)
    files.write_json(run.metrics_file, metrics)
    files.write_text(run.report_file, report.render(run, metrics, cases))
    return metrics


def table(metrics: dict[str, Any]) -> str:
    """The metrics as plain-text tables for the terminal.

    Args:
      metrics: what `evaluate` returned.

    Returns:
      Lines: warnings, one line a metric and one column a part, the findings of the part judged, remarks.
    """
    columns = report.columns(metrics)
    rows = [["", *columns], ["images (groups)", *(f"{one['images']} ({one['groups']})" for one in columns.values())]]
    for name in metrics_lib.NAMES:
        title = report.METRIC_TITLES[name]
        rows.append([title, *(tables.number(one["metrics"][name]) for one in columns.values())])
    chosen = metrics["threshold"]
    lines = [
        *(f"WARNING: {warning}" for warning in metrics["warnings"]),
        f"{metrics['preset']} on {metrics['dataset']}, positive {metrics['positive']}",
        "",
        tables.aligned(rows),
        "",
        f"threshold {chosen['threshold']:.3f}: {chosen['threshold_rule']}; brackets: 95 % interval over groups",
    ]
    judged = remarks.judged_split(metrics)
    if metrics["findings"] and judged:
        lines += ["", tables.aligned(_finding_rows(metrics["findings"][judged], judged)), ""]
    return "\n".join([*lines, *(f"- {remark}" for remark in metrics["remarks"])])


def _finding_rows(found: dict[str, Any], split: str) -> list[list[str]]:
    rows = [[f"finding, {split}", "known (positive)", "AUC", "average precision"]]
    for name, one in found["by_finding"].items():
        counts = f"{one['images']} ({one['positives']})"
        rows.append([name, counts, tables.number(one["auc"]), tables.number(one["average_precision"])])
    return [*rows, [f"mean of {found['defined']}", "", tables.number(found["mean_auc"]), ""]]


def _on_part(
    run: RunDirectory, split: str, predictions: pd.DataFrame, chosen: dict[str, Any], model: keras.Model
) -> dict[str, dict[str, Any]]:
    """What only the part judged is examined for."""
    found = {
        "controls": _defined({split: controls.play(run, split, predictions, model)}),
        "subgroups": _defined({split: subgroups.by_subgroup(predictions, chosen["threshold"]) or None}),
        "calibration": _defined({split: calibration.summarise(predictions, chosen)}),
    }
    if control := found["controls"].get(split):
        first_positive = int(predictions.index[predictions["target"] == 1][0])
        panels.save(controls.draw(run, split, first_positive, control), run.figures / f"controls_{split}.png")
    if worth := found["calibration"].get(split):
        for draw in (
            calibration_figures.reliability,
            calibration_figures.decision_curve,
            calibration_figures.predictive_values,
        ):
            figures.save(draw(worth, split), run.figures / f"{draw.__name__}_{split}.png")
    return found


def _predict_from_metadata(
    run: RunDirectory, predictions: dict[str, pd.DataFrame], train: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Predictions of the metadata classifier, fitted on train, its threshold chosen on validation."""
    validation = predictions.get("validation")
    if validation is None:
        validation = known(with_targets(run, _metadata(run, "validation")))
    return metadata_classifier.predict_parts(train, validation, predictions, seed=SEED)


def _metadata(run: RunDirectory, split: str) -> pd.DataFrame:
    return contents.metadata(run.config.data, split)


def _in_train(images: pd.DataFrame, train: pd.DataFrame) -> dict[str, int]:
    """Groups of a part that also stand in train, and the part's images of these."""
    shared = images["group_id"].isin(set(train["group_id"]))
    return {"groups_in_train": int(images.loc[shared, "group_id"].nunique()), "images_in_train": int(shared.sum())}


def _defined(by_split: dict[str, dict[str, Any] | None]) -> dict[str, dict[str, Any]]:
    return {split: found for split, found in by_split.items() if found is not None}


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
            figures.save(figures.history(epochs, run.config.train), run.figures / "history.png")


def _matrix(part: dict[str, Any], labels: Labels) -> tuple[npt.NDArray, Sequence[str]]:
    if part["classes"]:
        return np.array(part["classes"]["confusion_matrix"]), part["classes"]["class_names"]
    counts = part["confusion"]
    matrix = np.array([[counts["tp"], counts["fn"]], [counts["fp"], counts["tn"]]])
    return matrix, [labels.positive, labels.negative]


def _count_lines(path: pathlib.Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0
