"""`ctcov screen`."""

import argparse
from collections.abc import Sequence
import logging

from ctcov_tf import errors, processor, tensorflow_log
from ctcov_tf.commands import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument("root", metavar="ROOT", help="folder of the archive, or its address: gs://..., memory://...")
    parser.add_argument("--model", metavar="MODEL", help=f"{arguments.ANY_MODEL} (default: the best shipped one)")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="table of answers to write, .parquet, or its address; tables of studies and of the quarantine and a page "
        "stand beside it",
    )
    parser.add_argument("--workers", **arguments.COUNT, help="workers here (default: one for each processor)")
    parser.add_argument(
        "--beam-options",
        type=lambda text: text.split(","),
        default=(),
        metavar="NAME=VALUE,...",
        help="options of Apache Beam, as of tfds build: runner=FlinkRunner,flink_master=... (default: this machine)",
    )
    parser.add_argument("--window", **arguments.WINDOW)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def main(
    root: str,
    model: str | None,
    out: str,
    beam_options: Sequence[str],
    workers: int | None,
    window: Sequence[float] | None,
    json: bool,
) -> int:
    """Answers a whole archive of image files and DICOM studies: tables of slices, studies and bad files.

    The same command goes on where it was stopped, and answers only files that are new.
    """
    processor.leave_to_the_model()
    logging.disable(logging.WARNING)  # Beam remarks on packages that are not there
    try:
        from ctcov_tf.screening import command
    except ModuleNotFoundError as error:
        raise errors.CtcovError(f"{error.name}: not installed: install it with pip install ctcov") from error
    finally:
        logging.disable(logging.NOTSET)

    from ctcov_tf import model_choice

    place = model_choice.answering(model)
    if place.is_dir():
        tensorflow_log.load_quietly()
    return command.run(
        root,
        str(place),
        out,
        beam_options=beam_options,
        workers=workers,
        window=arguments.as_window(window),
        as_json=json,
    )
