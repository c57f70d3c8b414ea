"""`ctcov ablate`."""

import argparse
from collections.abc import Sequence
import pathlib
from typing import Any

from ctcov_tf import tensorflow_log
from ctcov_tf.commands import arguments

ARMS = ("none", "part1", "part2", "both")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("preset", metavar="PRESET", help="preset that fuses frozen parts, such as deep_cxr_net")
    parser.add_argument(
        "--out",
        **arguments.FOLDER,
        required=True,
        help="folder for the runs and the comparison (ablation.md, .json, .png)",
    )
    parser.add_argument(
        "--dataset", metavar="NAME", help="TFDS name of the dataset; this and what follows: else the preset's"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="where tfds build --data_dir put it")
    parser.add_argument("--part1", metavar="RUN", help="run directory of part 1")
    parser.add_argument("--part2", metavar="RUN", help="run directory of part 2")
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the training images")
    parser.add_argument(
        "--image-size", type=int, metavar="N", help="side of the square image that the networks see, pixels"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of weights, order and augmentation")
    parser.add_argument(
        "--parts",
        nargs="+",
        metavar="ARM",
        choices=ARMS,
        default=ARMS,
        help="arms, of none, part1, part2 and both; the first is the one that the others are held against "
        "(default: all four)",
    )


def main(
    preset: str,
    out: pathlib.Path,
    dataset: str | None,
    data_dir: str | None,
    part1: str | None,
    part2: str | None,
    epochs: int | None,
    image_size: int | None,
    seed: int | None,
    parts: Sequence[Any],
) -> int:
    """Trains a fusion without its frozen parts, with either and with both, and compares them in one table.

    Whatever is finished in OUT is not done again, so that an interrupted ablation goes on with the same command.
    """
    tensorflow_log.load_quietly()
    from ctcov_tf import ablation
    from ctcov_tf.evaluation import comparison_page

    config = ablation.settings(
        preset,
        data={"dataset": dataset, "data_dir": data_dir},
        preprocess={"image_size": image_size},
        model={"part1": part1, "part2": part2},
        train={"epochs": epochs, "seed": seed},
    )
    print(comparison_page.as_text(ablation.ablate(preset, config, out, parts=parts)))
    print(f"page: {out / 'ablation.md'}")
    return 0
