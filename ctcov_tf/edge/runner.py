"""A `.tflite` file run by LiteRT: an image in, the answer out, without TensorFlow."""

from collections.abc import Iterator
import contextlib
import io
import os
import pathlib
import zipfile
import zlib

from ai_edge_litert.interpreter import Interpreter
import numpy as np

from ctcov_tf import errors, files, shipped
from ctcov_tf.model_info import ModelInfo

RECORD = "model_info.json"
CARD = "model_card.md"
MAX_BYTES = 1 << 30
"""Files of more bytes are not read: a flatbuffer has at most 2 GiB, and Deep-CXR-Net in float32 0.2."""

MAX_TEXT = 16 << 20
"""Most bytes of the record, and of the card: a gate's record holds some numbers for each channel."""

_DAMAGE = (ValueError, RuntimeError, KeyError, TypeError, IndexError, AssertionError, MemoryError, OverflowError)
_IDENTIFIER = slice(4, 8)  # of a flatbuffer


class EdgeModel:
    """A TFLite file that `export.py` wrote, ready to answer.

    Attributes:
      path: the file.
      info: the record inside it: classes, threshold, pre-processing.
      card: the model card inside it, in Markdown; None where it has none.
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
        content = _content(self.path)
        texts = _texts(self.path, content, RECORD, CARD)
        self.info = ModelInfo.from_json(texts[RECORD], str(self.path))
        self.card = texts.get(CARD)
        with self._damage_is_one_line():
            interpreter = Interpreter(model_content=content, num_threads=threads or os.cpu_count())
            self._signature = interpreter.get_signature_runner()
            if list(self._signature.get_input_details()) != ["image"]:
                raise ValueError("no signature with the one input image")

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
        with self._damage_is_one_line():
            return self._signature(image=image[np.newaxis])

    @contextlib.contextmanager
    def _damage_is_one_line(self) -> Iterator[None]:
        """LiteRT finds some damage only where it runs the operator, and says it by errors of several kinds."""
        try:
            yield
        except _DAMAGE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise errors.CtcovError(f"{self.path}: damaged TFLite model ({reason}): export it again") from error

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
    return ModelInfo.from_json(_texts(path, _content(path), RECORD)[RECORD], str(path))


def _content(path: pathlib.Path) -> bytes:
    """The whole file, read once: it may be overwritten while it answers, and what was checked is what runs."""
    if not path.is_file():
        raise errors.CtcovError(f"{path}: no such file: name a .tflite file that export.py wrote")
    try:
        content = files.read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise errors.CtcovError(f"{path}: {error.strerror}: name a .tflite file that export.py wrote") from error
    if path.suffix == ".keras":
        raise errors.CtcovError(f"{path}: a part of a run: name the run directory that it stands in, or an export")
    if content[_IDENTIFIER] != b"TFL3":
        raise errors.CtcovError(f"{path}: not a TFLite model: name a .tflite file that export.py wrote")
    shipped.check_file(path, content)
    return content


def _texts(path: pathlib.Path, content: bytes, needed: str, *others: str) -> dict[str, str]:
    """Texts that stand behind the model, of a size that such texts can have, by name; others may be missing."""
    texts: dict[str, str] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in (needed, *(other for other in others if other in archive.namelist())):
                with archive.open(name) as entry:
                    text = entry.read(MAX_TEXT + 1)
                if len(text) > MAX_TEXT:
                    raise errors.CtcovError(
                        f"{path}: {name} in it is over the limit of {MAX_TEXT:,} bytes: export it again"
                    )
                try:
                    texts[name] = text.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise errors.CtcovError(f"{path}: {name} in it is no text: export it again") from error
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise errors.CtcovError(
            f"{path}: no record of classes and threshold inside (cut short, or not written by export.py): "
            "export it again"
        ) from error
    return texts


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
