"""`ctcov card`."""

import argparse
import pathlib

from ctcov_tf import RESEARCH_USE
from ctcov_tf.commands import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("run", **arguments.RUN)
    parser.add_argument("--out", **arguments.FOLDER, help="folder for the cards (default: card/ in the run directory)")
    parser.add_argument(
        "--verification",
        type=pathlib.Path,
        metavar="FILE",
        help="record of the exports (-verify.json), which export.py wrote beside them",
    )
    parser.add_argument("--json", action="store_true", help="print what card.json holds, in place of the files' names")


def main(run: pathlib.Path, out: pathlib.Path | None, verification: pathlib.Path | None, json: bool) -> int:
    """Model card and data card of a run, with CLAIM and PROBAST sheets, from the run directory alone."""
    from ctcov_tf import run_directory
    from ctcov_tf.card import write as card_lib

    loaded = run_directory.load(run)
    facts, written = card_lib.write(loaded, out or loaded.cards, verification)
    if json:
        import json as json_lib

        print(json_lib.dumps(facts, indent=2))
    else:
        print("\n".join(map(str, written)))
        print(RESEARCH_USE)
    return 0
