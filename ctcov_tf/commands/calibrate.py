"""`ctcov calibrate`."""

import argparse
import pathlib
from typing import Any

from ctcov_tf import RESEARCH_USE, tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT
from ctcov_tf.config import COVERAGE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("run", **arguments.RUN)
    cost: dict[str, Any] = {"type": arguments.positive(float), "metavar": "X"}
    costs = "with this, or one of the two others, there is an operating point of the lowest expected cost"
    parser.add_argument("--false-negative-cost", **cost, help=f"cost of a missed case; {costs} (default: 1)")
    parser.add_argument("--false-positive-cost", **cost, help="cost of a false alarm, in the same unit (default: 1)")
    parser.add_argument(
        "--prevalence",
        type=arguments.share,
        metavar="P",
        help="share of cases where the model is to be used (default: that of the validation images)",
    )
    parser.add_argument(
        "--coverage",
        type=arguments.share,
        default=COVERAGE,
        metavar="C",
        help=f"share of each class's images whose prediction set is to hold the class {DEFAULT}",
    )


def main(
    run: pathlib.Path,
    false_negative_cost: float | None,
    false_positive_cost: float | None,
    prevalence: float | None,
    coverage: float,
) -> int:
    """Fits temperature, threshold, operating points, prediction sets and input gate of a run anew.

    Validation images decide, and training images what the gate knows; no test part is read. calibration.json is
    replaced: export the run again, and evaluate it again.
    """
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.calibration.operating_points import Costs
    from ctcov_tf.evaluation import calibrate as calibrate_lib

    stated = (false_negative_cost, false_positive_cost, prevalence) != (None, None, None)
    costs = Costs(false_negative_cost or 1.0, false_positive_cost or 1.0, prevalence) if stated else None
    print(calibrate_lib.table(calibrate_lib.calibrate(loaded, costs=costs, coverage=coverage)))
    print(f"{loaded.calibration_file}\n{RESEARCH_USE}")
    return 0
