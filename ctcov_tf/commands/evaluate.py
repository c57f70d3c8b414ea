"""`ctcov evaluate`."""

import argparse
from collections.abc import Sequence
import pathlib
from typing import Any

from ctcov_tf import RESEARCH_USE, tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.config import DataConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("run", **arguments.RUN)
    parser.add_argument(
        "--splits",
        nargs="+",
        metavar="PART",
        choices=arguments.SPLITS,
        default=arguments.SPLITS[1:],
        help="parts to evaluate, of train, validation and test; every reading of test is logged in the run directory "
        "(default: validation test)",
    )
    parser.add_argument(
        "--elsewhere",
        metavar="DATASET",
        help="judge the run on the test part of another dataset instead, by the run's own threshold: its TFDS name",
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="where that dataset was built (default: where the run's own was)"
    )


def main(run: pathlib.Path, splits: Sequence[Any], elsewhere: str | None, data_dir: str | None) -> int:
    """Metrics with intervals, figures and report of a run."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    if elsewhere:
        from ctcov_tf.evaluation import elsewhere as elsewhere_lib

        other = DataConfig(dataset=elsewhere, data_dir=data_dir or loaded.config.data.data_dir)
        print(elsewhere_lib.table(elsewhere_lib.evaluate(loaded, other, reason="ctcov evaluate --elsewhere")))
        print(f"{elsewhere_lib.metrics_file(loaded, other)}\n{RESEARCH_USE}")
        return 0
    from ctcov_tf.evaluation import protocols

    print(protocols.table(protocols.evaluate(loaded, splits, reason="ctcov evaluate")))
    print(f"report: {loaded.report_file}\n{RESEARCH_USE}")
    return 0
