"""`ctcov inspect`."""

import argparse
import pathlib

from ctcov_tf import RESEARCH_USE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument(
        "model",
        type=pathlib.Path,
        metavar="MODEL",
        help="SavedModel folder, .tflite or .keras file, or a folder that holds such: a run directory, versions",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per model instead of text")


def main(model: pathlib.Path, json: bool) -> int:
    """Lists operators, signatures, sizes and hashes of a model, and runs nothing of it.

    Ends with 1 where an operator can touch files or the network, or where code is named that is not this package's: do
    not load such a model. That nothing is found is no proof that a model is harmless: load models of others in a
    container.
    """
    import dataclasses
    import json as json_lib
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from ctcov_tf.export import inspection

    found = inspection.inspect(model)
    if json:
        for one in found:
            print(json_lib.dumps(dataclasses.asdict(one)))
    else:
        print("\n".join(map(inspection.as_text, found)))
        print(RESEARCH_USE)
    return int(any(one.touching for one in found))
