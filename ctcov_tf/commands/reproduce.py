"""`ctcov reproduce`."""

import argparse
from collections.abc import Sequence
import pathlib
from typing import Any

from ctcov_tf import tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT

TABLES = ("table3", "table4", "table5", "table6", "ablation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("table", metavar="TABLE", choices=TABLES, help=", ".join(TABLES))
    parser.add_argument(
        "--methods",
        nargs="*",
        metavar="METHOD",
        help="presets that ours is compared with, or arms of the ablation (default: those of the paper's table, all "
        "arms)",
    )
    parser.add_argument(
        "--ours",
        metavar="PRESET",
        help="preset that the others are held against (default: deep_ct_net_slim; table6: deep_cxr_net_slim)",
    )
    parser.add_argument(
        "--seeds",
        **arguments.COUNT,
        default=5,
        help=f"trainings of each method {DEFAULT}",
    )
    parser.add_argument(
        "--budget",
        type=arguments.positive(float),
        metavar="MINUTES",
        help="minutes for all trainings of this call together: image size and epochs, the same for all methods, are "
        "chosen to fit, by a short timing of each method's training step on this machine",
    )
    parser.add_argument(
        "--out",
        **arguments.FOLDER,
        help="folder for runs, table.md, table.json, table.html, roc.png (default: runs/TABLE)",
    )
    parser.add_argument("--json", action="store_true", help="print what table.json holds instead of the table")
    fixed = "; for all methods, and for good in OUT"
    parser.add_argument(
        "--dataset", metavar="NAME", help="TFDS name of what they are trained on (default: the table's)"
    )
    parser.add_argument(
        "--judged-on", metavar="NAME", help="dataset whose test part judges them (default: the table's)"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="where tfds build --data_dir put both")
    parser.add_argument(
        "--image-size",
        **arguments.COUNT,
        help=f"side of the images, pixels{fixed} (default: 128)",
    )
    parser.add_argument("--epochs", **arguments.COUNT, help=f"passes over the images{fixed} (default: 36)")
    parser.add_argument(
        "--weights", choices=("none", "imagenet"), help=f"what backbones start from{fixed} (default: none)"
    )
    parser.add_argument(
        "--part1", metavar="RUN", help="table6: run directory of Deep-CXR-Net's part 1; without it, part 3 alone"
    )
    parser.add_argument("--part2", metavar="RUN", help="the same of part 2")


def main(
    table: str,
    out: pathlib.Path | None,
    methods: Sequence[str] | None,
    ours: str | None,
    seeds: int,
    budget: float | None,
    json: bool,
    **protocol: Any,
) -> int:
    """Trains every method of a table of the paper under one protocol, and sets the results beside the paper's.

    table3 and table4 need the CT-COV19 archive, table5 COVID-CT, table6 the radiographs; ablation takes parts from our
    own network, or changes them, on the dataset of table5. All methods have the same images, pre-processing,
    augmentation, training and seeds. What is finished in OUT is not done again, so that an interrupted call goes on
    with the same command, and several processes may share OUT.
    """
    tensorflow_log.load_quietly()
    from ctcov_tf.reproduce import reproduce as reproduce_lib
    from ctcov_tf.reproduce import settings
    from ctcov_tf.reproduce import table as table_lib

    out = out or pathlib.Path("runs") / table
    request = settings.Request(table, ours, protocol, budget)
    content = reproduce_lib.reproduce(request, out, methods=methods, seeds=seeds)
    if json:
        import json as json_lib

        print(json_lib.dumps(content, indent=2))
    else:
        print(table_lib.as_text(content))
        print(f"page: {out / 'table.html'}")
    return 0
