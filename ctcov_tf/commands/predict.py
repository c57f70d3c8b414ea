"""`ctcov predict`."""

import argparse
from collections.abc import Sequence
import pathlib

from ctcov_tf import processor, tensorflow_log
from ctcov_tf.commands import arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments to its parser."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[MODEL] IMAGE",
        help="image files (PNG, JPEG, BMP), DICOM files, folders of them; before them a model, if --model names none",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help=f"{arguments.ANY_MODEL} (default: the first word, if it is one; else the best shipped)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--heatmap", **arguments.FOLDER, help="folder for heat maps laid over the images")
    parser.add_argument("--window", **arguments.WINDOW)


def main(
    words: Sequence[str],
    model: str | None,
    json: bool,
    heatmap: pathlib.Path | None,
    window: Sequence[float] | None,
) -> int:
    """Probability and decision for image files and DICOM studies.

    Without a model, the best one that ships for chest CT answers (ctcov models). Another is named by --model, or by the
    first word, if that is a .tflite file, a folder with a model, or the name of a shipped model; all other words are
    images.
    """
    processor.leave_to_the_model()
    from ctcov_tf import model_choice, predictor
    from ctcov_tf import predict as predict_lib

    place, images = model_choice.split(words, model)
    if predictor.needs_tensorflow(place):
        tensorflow_log.load_quietly()
    return predict_lib.predict_command(place, images, as_json=json, heatmap=heatmap, window=arguments.as_window(window))
