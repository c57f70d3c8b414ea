"""`ctcov gate`."""

import argparse
from collections.abc import Sequence
import pathlib

from ctcov_tf import RESEARCH_USE, tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("run", **arguments.RUN)
    parser.add_argument(
        "--against",
        type=pathlib.Path,
        nargs="+",
        default=(),
        metavar="FOLDER",
        help="folders of images that are not what the model knows; changed images of the dataset and noise are always "
        "among these",
    )
    parser.add_argument(
        "--split",
        choices=arguments.SPLITS,
        default="validation",
        help=f"part of the dataset that is known {DEFAULT}",
    )
    parser.add_argument("--limit", type=int, default=500, metavar="N", help=f"most images of a folder {DEFAULT}")
    parser.add_argument("--out", **arguments.FOLDER, help="folder for gate.json and gate.png (default: RUN/gate)")


def main(run: pathlib.Path, against: Sequence[pathlib.Path], split: str, limit: int, out: pathlib.Path | None) -> int:
    """Measures how well a run's input gate tells other images from those that it knows."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import gate_report

    out = out or loaded.path / "gate"
    print(gate_report.table(gate_report.report(loaded, against, out, split=split, limit=limit)))
    print(f"figure: {out / 'gate.png'}\n{RESEARCH_USE}")
    return 0
