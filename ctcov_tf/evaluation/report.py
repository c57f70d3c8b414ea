"""The report: one HTML page that needs no other file, no script and no network."""

import json
import pathlib
from typing import Any

from ctcov_tf import RESEARCH_USE, config
from ctcov_tf.evaluation import remarks
from ctcov_tf.pages import template as pages
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import metrics as metrics_lib

METRIC_TITLES = {
    "precision": "precision",
    "recall": "recall (sensitivity)",
    "specificity": "specificity",
    "f1": "F1",
    "accuracy": "accuracy",
    "auc": "AUC",
    "average_precision": "average precision",
}
METADATA_ONLY = "metadata only"
SAME_SOURCE = "same source"


def render(run: RunDirectory, metrics: dict[str, Any], cases: list[dict[str, Any]]) -> str:
    """Renders the page.

    Args:
      run: the run; its figures are taken into the page.
      metrics: what metrics.json holds.
      cases: the records that `examples.draw_cases` gave.

    Returns:
      HTML.
    """
    environment = pages.environment(pathlib.Path(__file__).parent)
    environment.globals["figure"] = lambda name: pages.data_url((run.figures / name).read_bytes())
    return environment.get_template("report.html").render(
        run=run,
        metrics=metrics,
        part_title=remarks.part_title,
        judged=remarks.judged_split(metrics),
        columns=columns(metrics),
        metric_names=metrics_lib.NAMES,
        titles=METRIC_TITLES,
        has_history=(run.figures / "history.png").is_file(),
        cases={
            kind: [case for case in cases if case["kind"] == kind] for kind in dict.fromkeys(c["kind"] for c in cases)
        },
        configuration=json.dumps(config.to_dict(run.config), indent=2),
        notice=RESEARCH_USE,
    )


def columns(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The columns of the table: the model on each part, then two more on the part judged.

    These are the model on the images whose source also holds positives, where not all images are such, and the
    metadata classifier.

    Args:
      metrics: what metrics.json holds.

    Returns:
      What `protocols.summarise` gave, by the column's title.
    """
    judged = remarks.judged_split(metrics)
    found = dict(metrics["splits"])
    if judged in metrics["same_source"]:
        found[f"{SAME_SOURCE}, {judged}"] = metrics["same_source"][judged]
    if judged in metrics["metadata_only"]:
        found[f"{METADATA_ONLY}, {judged}"] = metrics["metadata_only"][judged]
    return found
