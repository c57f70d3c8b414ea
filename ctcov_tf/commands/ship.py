"""`ctcov ship`."""

import argparse
import pathlib

from ctcov_tf import RESEARCH_USE, tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("run", **arguments.RUN)
    parser.add_argument("--out", **arguments.FOLDER, required=True, help="folder to make: weights/NAME-YYYYMMDD")
    parser.add_argument(
        "--no-int8", dest="int8", action="store_false", help="leave the 8-bit TFLite file out, if it answers otherwise"
    )
    parser.add_argument(
        "--default", action="store_true", help="it is to answer where no model is named, whatever others reach"
    )
    parser.add_argument(
        "--images",
        **arguments.COUNT,
        default=200,
        help=f"validation images to verify on {DEFAULT}",
    )


def main(run: pathlib.Path, out: pathlib.Path, default: bool, int8: bool, images: int) -> int:
    """Makes a folder of weights that ship with the package from a finished, evaluated run that has a card.

    Kernels are rounded to half precision; a run whose answers that moves above a bound is refused. OUT holds a run
    directory of that network, its TFLite files, cards, and a manifest with sizes and hashes.
    """
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.shipping import ship as ship_lib

    forms = [form for form in ship_lib.FORMS if int8 or form != "int8"]
    print(ship_lib.table(ship_lib.ship(loaded, out, default=default, forms=forms, limit=images)))
    print(RESEARCH_USE)
    return 0
