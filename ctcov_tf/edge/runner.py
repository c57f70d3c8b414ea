"""A `.tflite` file run by LiteRT: an image in, the answer out, without TensorFlow."""

import os
import pathlib
import zipfile

from ai_edge_litert.interpreter import Interpreter
import numpy as np

from ctcov_tf import errors
from ctcov_tf.model_info import ModelInfo

RECORD = "model_info.json"
CARD = "model_card.md"
_IDENTIFIER = slice(4, 8)  # of a flatbuffer


class EdgeModel:
    """A TFLite file that `export.py` wrote, ready to answer.

    Attributes:
      path: the file.
      info: the record inside it: classes, threshold, pre-processing.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        """Reads the file and makes its interpreter.

        Args:
          path: the `.tflite` file.
          threads: threads that LiteRT may use; by default one for each processor.

        Raises:
          CtcovError: the file is missing, is no TFLite model, is damaged, or has no record inside.
        """
        self.path = pathlib.Path(path)
        self.info = read_record(self.path)
        try:
            interpreter = Interpreter(model_path=str(self.path), num_threads=threads or os.cpu_count())
            self._signature = interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise errors.CtcovError(f"{self.path}: damaged TFLite model ({reason}): export it again") from error

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the model on one image of any size.

        Args:
          image: RGB, (h, w, 3), uint8.

        Returns:
          `probability` (1,) of the positive class and `probabilities` (1, outputs), float32 in [0, 1]; of
          Deep-CXR-Net each likelihood of its frozen parts (1,), float32 in [0, 1], by name; where the file holds
          them `heatmap`, and `heatmap_<part>` of each part, (1, h', w'), float32 in [0, 1]. Of a file with an input
          gate `in_distribution` (1,), bool, and `ood_score` (1,), float32; an image that is not in distribution has
          no number as probability and likelihood, and an empty heat map.
        """
        return self._signature(image=image[np.newaxis])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what a call returns."""
        return tuple(self._signature.get_output_details())


def read_record(path: pathlib.Path) -> ModelInfo:
    """Reads the record that stands in a `.tflite` file as an associated file (a zip entry behind the model).

    Args:
      path: the file.

    Returns:
      Its record.

    Raises:
      CtcovError: the file is missing, is no TFLite model, or has no record.
    """
    if not path.is_file():
        raise errors.CtcovError(f"{path}: no such file: name a .tflite file that export.py wrote")
    with path.open("rb") as file:
        if file.read(8)[_IDENTIFIER] != b"TFL3":
            raise errors.CtcovError(f"{path}: not a TFLite model: name a .tflite file that export.py wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(RECORD).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise errors.CtcovError(
            f"{path}: no record of classes and threshold inside (cut short, or not written by export.py): "
            "export it again"
        ) from error
    return ModelInfo.from_json(text, str(path))


def read_card(path: pathlib.Path) -> str | None:
    """The model card in a `.tflite` file, in Markdown; None where it has none.

    Args:
      path: the file, whose record has been read.
    """
    with zipfile.ZipFile(path) as archive:
        return archive.read(CARD).decode("utf-8") if CARD in archive.namelist() else None


def append_record(path: pathlib.Path, info: ModelInfo, card: str | None = None) -> None:
    """Appends the record to a `.tflite` file, which stays a valid model.

    Args:
      path: the file.
      info: the record.
      card: the model card, in Markdown; None if there is none.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(RECORD, info.to_json())
        if card is not None:
            archive.writestr(CARD, card)


def append_card(path: pathlib.Path, card: pathlib.Path) -> None:
    """Appends the model card to a `.tflite` file that has its record, and no card yet.

    Args:
      path: the file.
      card: the model card, in Markdown.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(card, CARD)
