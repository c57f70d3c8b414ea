"""`ctcov benchmark`."""

import argparse
import pathlib

from ctcov_tf import RESEARCH_USE, processor
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("model", type=pathlib.Path, metavar="MODEL", help=".tflite file that export.py wrote")
    parser.add_argument(
        "--threads",
        **arguments.COUNT,
        help="threads of LiteRT (default: one for each processor)",
    )
    parser.add_argument("--rounds", **arguments.COUNT, default=50, help=f"answers to time {DEFAULT}")
    parser.add_argument(
        "--image-size",
        **arguments.COUNT,
        default=512,
        help=f"side of the image, pixels {DEFAULT}",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def main(model: pathlib.Path, threads: int | None, rounds: int, image_size: int, json: bool) -> int:
    """Time to start, time of an answer, memory and size of a TFLite file on this machine."""
    processor.leave_to_the_model()
    import dataclasses
    import json as json_lib

    from ctcov_tf.edge import benchmark as benchmark_lib

    measured = benchmark_lib.measure(model, threads, rounds, image_size)
    if json:
        print(json_lib.dumps(dataclasses.asdict(measured) | {"notice": RESEARCH_USE}))
    else:
        print(f"{benchmark_lib.as_text(measured)}\n{RESEARCH_USE}")
    return 0
