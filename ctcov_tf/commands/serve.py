"""`ctcov serve`."""

import argparse
from collections.abc import Sequence
import pathlib
import re
from typing import Any

from ctcov_tf import errors, processor
from ctcov_tf.commands import arguments
from ctcov_tf.commands.arguments import DEFAULT
from ctcov_tf.serving import settings as serving


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help=f"{arguments.ANY_MODEL} (default: all shipped ones)")
    parser.add_argument(
        "--host", default="127.0.0.1", help=f"address to listen at; 0.0.0.0 is open to the network {DEFAULT}"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=serving.PORT,
        metavar="N",
        help=f"port to listen at; 0 takes one {DEFAULT}",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name that requests may call the server by, such as that of a proxy before it; may be repeated "
        "(default: that of --host and those of the loopback; with 0.0.0.0 every IP address too)",
    )
    parser.add_argument("--name", help="name of the model in addresses (default: its own)")
    parser.add_argument(
        "--label",
        action="append",
        type=_label,
        default=[],
        metavar="LABEL=N",
        help="version that /labels/LABEL names; may be repeated (default: stable is the one in service)",
    )
    seconds: dict[str, Any] = {"type": arguments.positive(float), "metavar": "S"}
    parser.add_argument("--poll", **seconds, default=1.0, help=f"seconds between two looks for new versions {DEFAULT}")
    parser.add_argument("--window", **arguments.WINDOW)
    parser.add_argument(
        "--token-file",
        type=pathlib.Path,
        metavar="FILE",
        help="file with the token that requests must bring (default: the environment's CTCOV_TOKEN, or none)",
    )
    parser.add_argument(
        "--access-log", action="store_true", help="a line of JSON on stderr for each request, of no content"
    )
    limits, batching = serving.Limits(), serving.Batching()
    parser.add_argument(
        "--max-batch",
        **arguments.COUNT,
        default=batching.size,
        help=f"images that a SavedModel gets at once {DEFAULT}",
    )
    parser.add_argument(
        "--batch-delay",
        type=_delay,
        default=1e3 * batching.delay,
        metavar="MS",
        help=f"milliseconds for which an image waits for others, although the model is free {DEFAULT}",
    )
    parser.add_argument(
        "--workers", **arguments.COUNT, default=batching.workers, help=f"threads that run the model at once {DEFAULT}"
    )
    parser.add_argument("--max-body", **arguments.COUNT, default=limits.body, help=f"bytes of a request {DEFAULT}")
    parser.add_argument("--max-pixels", **arguments.COUNT, default=limits.pixels, help=f"pixels of an image {DEFAULT}")
    parser.add_argument("--max-images", **arguments.COUNT, default=limits.images, help=f"images of a request {DEFAULT}")
    parser.add_argument("--max-slices", **arguments.COUNT, default=limits.slices, help=f"slices of a study {DEFAULT}")
    parser.add_argument(
        "--max-queue", **arguments.COUNT, default=limits.queue, help=f"images that wait, of all requests {DEFAULT}"
    )
    parser.add_argument(
        "--timeout", **seconds, default=limits.seconds, help=f"seconds until a request is answered {DEFAULT}"
    )


def main(
    model: str | None,
    host: str,
    port: int,
    allow_host: Sequence[str],
    name: str | None,
    label: Sequence[tuple[str, int]],
    poll: float,
    window: Sequence[float] | None,
    token_file: pathlib.Path | None,
    access_log: bool,
    max_batch: int,
    batch_delay: float,
    workers: int,
    max_body: int,
    max_pixels: int,
    max_images: int,
    max_slices: int,
    max_queue: int,
    timeout: float,
) -> int:
    """Answers over HTTP as TensorFlow Serving's REST interface does, until Ctrl-C or SIGTERM.

    Without a model, those that ship are served, each by its name without the date; the page at / uses the best.
    """
    processor.leave_to_the_model()
    settings = serving.Settings(
        host=host,
        port=port,
        allowed_hosts=tuple(allow_host),
        name=name,
        labels=dict(label),
        limits=serving.Limits(max_body, max_pixels, max_images, max_slices, max_queue, timeout),
        batching=serving.Batching(max_batch, batch_delay / 1e3, workers),
        poll=poll,
        window=arguments.as_window(window),
        token_file=token_file,
        access_log=access_log,
    )
    try:
        from ctcov_tf.serving import server
    except ModuleNotFoundError as error:
        raise errors.CtcovError(f"{error.name}: not installed: install it with pip install 'ctcov[serve]'") from error

    from ctcov_tf import model_choice

    return server.serve(None if model is None else model_choice.place(model), settings)


def _delay(text: str) -> float:
    return 0.0 if text == "0" else arguments.positive(float)(text)


def _label(text: str) -> tuple[str, int]:
    label, _, version = text.partition("=")
    if not re.fullmatch(r"[\w.-]+", label) or not version.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no label and version, such as stable=2")
    return label, int(version)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number")
    return int(text)
