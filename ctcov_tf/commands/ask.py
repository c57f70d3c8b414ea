"""`ctcov ask`."""

import argparse
from collections.abc import Sequence
import pathlib

from ctcov_tf import tensorflow_log
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument(
        "address",
        metavar="URL",
        help="http://HOST:8501/v1/models/NAME or grpc://HOST:8500/v1/models/NAME; "
        "/versions/N or /labels/LABEL may follow",
    )
    parser.add_argument("images", **arguments.IMAGES)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, with all outputs, instead of the table"
    )
    parser.add_argument(
        "--signature", metavar="NAME", default="serving_default", help=f"signature that is asked {DEFAULT}"
    )
    parser.add_argument(
        "--batch",
        **arguments.COUNT,
        default=16,
        help=f"images in a request {DEFAULT}",
    )
    parser.add_argument(
        "--timeout",
        type=arguments.positive(float),
        default=30.0,
        metavar="S",
        help=f"seconds to wait for the server {DEFAULT}",
    )


def main(address: str, images: Sequence[pathlib.Path], json: bool, signature: str, batch: int, timeout: float) -> int:
    """Asks a served model for image files, over REST or gRPC."""
    from ctcov_tf.serving import ask as ask_lib

    if address.startswith("grpc"):
        tensorflow_log.load_quietly()
    return ask_lib.ask_command(address, images, as_json=json, signature=signature, batch=batch, timeout=timeout)
