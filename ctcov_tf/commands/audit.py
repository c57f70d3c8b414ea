"""`ctcov audit`."""

import argparse
import pathlib
from typing import Any

from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT

LIMITS = (
    (
        "--max-auc",
        float,
        0.65,
        "limit of the AUC from the file, the source, the border and the image without its centre: a finding if the "
        "lower end of the 95 %% interval is above it",
    ),
    ("--max-conflicts", int, 0, "pictures in two classes that are let pass"),
    ("--max-duplicates", int, 0, "pictures in two parts that are let pass"),
    ("--max-shared-groups", int, 0, "groups (patients) in two parts that are let pass"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="a folder of images, or the TFDS name of a built dataset. A folder holds a labels.csv with the columns "
        "file and class and, where they are known, split, patient, source, age, sex, view; or <class>/...; or "
        "<part>/<class>/...",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="where tfds build --data_dir put the dataset")
    parser.add_argument(
        "--out", **arguments.FOLDER, help="folder for audit.html and audit.json (default: no file is written)"
    )
    parser.add_argument("--json", action="store_true", help="print the record as JSON instead of the summary")
    parser.add_argument(
        "--no-pictures",
        dest="pictures",
        action="store_false",
        help="leave the images out of audit.html, to publish it where the images may not be",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help=f"seed of folds, classifiers and bootstrap {DEFAULT}"
    )
    for flag, kind, value, what in LIMITS:
        parser.add_argument(
            flag, type=kind, default=value, metavar="X" if kind is float else "N", help=f"{what} {DEFAULT}"
        )


def main(
    target: str,
    data_dir: str | None,
    out: pathlib.Path | None,
    json: bool,
    pictures: bool,
    seed: int,
    **limits: Any,
) -> int:
    """Looks for what makes a dataset or folder of images unusable for judging models.

    Groups (patients) in two parts; the same picture in two classes or parts, also scaled, cropped or mirrored; counts
    other than published; and how well the classes are told apart without any disease in sight: from the file, the
    source, the border, the image with its centre masked, a tiny thumbnail. Ends with 0 if nothing is above a limit,
    1 if something is, 2 if TARGET cannot be read.
    """
    from ctcov_tf.audit import command, verdict

    return command.run(
        target,
        data_dir=data_dir,
        out=out,
        as_json=json,
        pictures=pictures,
        limits=verdict.Limits(**limits),
        seed=seed,
    )
