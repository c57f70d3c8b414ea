"""`ctcov compare`."""

import argparse
from collections.abc import Sequence
import pathlib

from ctcov_tf import tensorflow_log
from ctcov_tf.commands import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("runs", type=pathlib.Path, metavar="RUN", nargs="+", help="run directories, each evaluated")
    parser.add_argument("--out", **arguments.FOLDER, required=True, help="folder for comparison.md, .json and .png")


def main(runs: Sequence[pathlib.Path], out: pathlib.Path) -> int:
    """Evaluated runs of one dataset side by side, as one from random weights and one that was pre-trained.

    The first run is the one that the others are held against. It works on the probabilities that `ctcov evaluate` has
    kept: the test part is not read again. Runs that differ in nothing but the seed are compared by their means as well.
    """
    from ctcov_tf import run_directory

    loaded = [run_directory.load(run) for run in runs]
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import comparison_files, comparison_page

    print(comparison_page.as_text(comparison_files.compare_runs(loaded, out)))
    print(f"page: {out / comparison_files.NAME}.md")
    return 0
