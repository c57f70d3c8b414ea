"""A comparison of runs as files: record, page and picture."""

from collections.abc import Sequence
import pathlib
from typing import Any

import pandas as pd

from ctcov_tf import errors, files
from ctcov_tf.evaluation import comparison_page, figures, seed_means
from ctcov_tf.evaluation.comparison import compare
from ctcov_tf.evaluation.forest import forest
from ctcov_tf.evaluation.learning_curves import learning_curves
from ctcov_tf.run_directory import RunDirectory

NAME = "comparison"
CURVES = "learning_curves.png"


def compare_runs(runs: Sequence[RunDirectory], out: pathlib.Path) -> dict[str, Any]:
    """Compares evaluated runs, each by its folder's name, and means over seeds where there are several.

    Writes `comparison.json`, `.md` and `.png`, and `learning_curves.png` of the runs that have a history.

    Args:
      runs: of one dataset; the first is the one that the others are held against.
      out: folder for the files.

    Returns:
      What `comparison.compare` gives, and `seed_means`, what `seed_means.summarise` gives.

    Raises:
      CtcovError: two runs bear one name, one has no evaluation of the test part, or they were judged on other images.
    """
    named = {run.path.name: run for run in runs}
    if len(named) < len(runs):
        raise errors.CtcovError("comparison: two runs bear the same folder's name, which names their rows: rename one")
    compared = compare(named)
    thresholds = {name: arm["threshold"] for name, arm in compared["arms"].items()}
    compared["seed_means"] = seed_means.summarise(named, thresholds)
    histories = {name: pd.read_csv(run.history_file) for name, run in named.items() if run.history_file.is_file()}
    if histories:
        figures.save(learning_curves(histories), out / CURVES)
    write(compared, out, NAME, f"{', '.join(named)} compared", curves=CURVES if histories else None)
    return compared


def write(comparison: dict[str, Any], out: pathlib.Path, name: str, title: str, curves: str | None = None) -> None:
    """Writes `<name>.json`, `<name>.png` and `<name>.md`.

    Args:
      comparison: what `comparison.compare` gave.
      out: folder for the files.
      name: of the files.
      title: of the page.
      curves: file name of the learning curves, beside the page.
    """
    files.write_json(out / f"{name}.json", comparison)
    figures.save(forest(comparison), out / f"{name}.png")
    files.write_text(out / f"{name}.md", comparison_page.as_markdown(comparison, title, f"{name}.png", curves))
