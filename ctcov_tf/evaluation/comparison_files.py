"""A comparison of runs as files: record, page and picture."""

from collections.abc import Sequence
import pathlib
from typing import Any

from ctcov_tf import errors, files
from ctcov_tf.evaluation import comparison_page, figures
from ctcov_tf.evaluation.comparison import compare
from ctcov_tf.evaluation.forest import forest
from ctcov_tf.run_directory import RunDirectory

NAME = "comparison"


def compare_runs(runs: Sequence[RunDirectory], out: pathlib.Path) -> dict[str, Any]:
    """Compares evaluated runs, each by its folder's name, and writes `comparison.json`, `.md` and `.png`.

    Args:
      runs: of one dataset; the first is the one that the others are held against.
      out: folder for the files.

    Returns:
      What `comparison.compare` gives.

    Raises:
      CtcovError: two runs bear one name, one has no evaluation of the test part, or they were judged on other images.
    """
    named = {run.path.name: run for run in runs}
    if len(named) < len(runs):
        raise errors.CtcovError("comparison: two runs bear the same folder's name, which names their rows: rename one")
    compared = compare(named)
    write(compared, out, NAME, f"{', '.join(named)} compared")
    return compared


def write(comparison: dict[str, Any], out: pathlib.Path, name: str, title: str) -> None:
    """Writes `<name>.json`, `<name>.png` and `<name>.md`.

    Args:
      comparison: what `comparison.compare` gave.
      out: folder for the files.
      name: of the files.
      title: of the page.
    """
    files.write_json(out / f"{name}.json", comparison)
    figures.save(forest(comparison), out / f"{name}.png")
    files.write_text(out / f"{name}.md", comparison_page.as_markdown(comparison, title, f"{name}.png"))
