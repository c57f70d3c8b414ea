"""`ctcov models`."""

import argparse

from ctcov_tf import RESEARCH_USE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("--json", action="store_true", help="print the list as JSON")


def main(json: bool) -> int:
    """Lists the models that ship with the package: for what, trained on what, how good, how large."""
    from ctcov_tf.shipping import listing

    if json:
        import json as json_lib

        print(json_lib.dumps(listing.records(), indent=2))
    else:
        print(f"{listing.table()}\n{RESEARCH_USE}")
    return 0
