"""`ctcov explain`."""

import argparse
from collections.abc import Sequence
import pathlib

from ctcov_tf import RESEARCH_USE, errors, tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("run", **arguments.RUN)
    parser.add_argument("images", **arguments.IMAGES)
    parser.add_argument(
        "--out",
        **arguments.FOLDER,
        default=pathlib.Path("heatmaps"),
        help=f"folder for the overlays {DEFAULT}",
    )


def main(run: pathlib.Path, images: Sequence[pathlib.Path], out: pathlib.Path) -> int:
    """Grad-CAM heat maps of images, laid over them."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import examples

    for record in examples.explain_images(loaded, images, out):
        if record["overlay"] is None:
            print(f"{'-':5}  {errors.printable(record['image'])}: {record['decision']}")
        else:
            print(f"{record['probability']:.3f}  {record['overlay']}")
    print(RESEARCH_USE)
    return 0
