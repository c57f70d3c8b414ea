"""`ctcov import-torchxrayvision`."""

import argparse
from collections.abc import Sequence
import pathlib

from ctcov_tf import RESEARCH_USE, tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT
from ctcov_tf.config import FINDINGS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument(
        "file", type=pathlib.Path, metavar="FILE", help="state dict of a TorchXRayVision DenseNet, by PyTorch"
    )
    parser.add_argument("--run-dir", **arguments.FOLDER, required=True, help="folder to make for the run")
    parser.add_argument(
        "--findings",
        nargs="+",
        metavar="FINDING",
        default=FINDINGS,
        help="what the network answers, of what the weights were trained to find (default: " + " ".join(FINDINGS) + ")",
    )
    parser.add_argument(
        "--positive",
        metavar="FINDING",
        default="pneumonia",
        help=f"the finding that binary metrics call positive {DEFAULT}",
    )


def main(file: pathlib.Path, run_dir: pathlib.Path, findings: Sequence[str], positive: str) -> int:
    """Makes a run directory, part 1 of Deep-CXR-Net, from weights that TorchXRayVision trained."""
    tensorflow_log.load_quietly()
    from ctcov_tf.training import import_command

    run = import_command.import_weights(file, run_dir, tuple(findings), positive)
    size = run.config.preprocess.image_size
    print(f"run directory {run.path}: {', '.join(run.labels.outputs)}")
    print(f"next: train part 2 and the fusion with --image-size {size} --no-equalise --no-blur --no-standardise")
    print(RESEARCH_USE)
    return 0
