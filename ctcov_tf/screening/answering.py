"""From files to rows of answers, or to the reason why a file has none."""

from collections.abc import Iterable, Iterator
import dataclasses
import hashlib
from typing import Any

from ctcov_tf import errors, predictor
from ctcov_tf.images import dicom_files, encode, pseudonym, suitability
from ctcov_tf.images.window import Window
from ctcov_tf.predictor import InputImage, Predictor
from ctcov_tf.screening import rows
from ctcov_tf.screening.rows import Kind

BATCH = 16
"""Images of one run of a model that takes several."""


@dataclasses.dataclass(frozen=True)
class File:
    """A file to answer.

    Attributes:
      path: below the root.
      data: its content.
      sha256: of the content.
    """

    path: str
    data: bytes = dataclasses.field(repr=False)
    sha256: str

    @classmethod
    def of(cls, path: str, data: bytes) -> "File":
        """Makes one with its hash."""
        return cls(path, data, hashlib.sha256(data).hexdigest())


@dataclasses.dataclass(frozen=True)
class Refused:
    """A file without an answer.

    Attributes:
      path: below the root.
      kind: see `rows.QUARANTINE`.
      reason: why, without the path.
      sha256: of its content; None where it could not be read.
      study: pseudonym, where it is known.
      series: pseudonym, where it is known.
    """

    path: str
    kind: Kind
    reason: str
    sha256: str | None = None
    study: str | None = None
    series: str | None = None


@dataclasses.dataclass(frozen=True)
class _Slice:
    file: File
    place: dict[str, Any]
    image: InputImage


class Answering:
    """Answers files with a model. A file is answered whole, or refused.

    Args:
      opened: the model.
      window: that CT goes through.
      key: that pseudonyms are made with.
    """

    def __init__(self, opened: Predictor, window: Window, key: bytes) -> None:
        self._opened = opened
        self._window = window
        self._key = key

    def answer(self, files: Iterable[File]) -> tuple[list[dict[str, Any]], list[Refused]]:
        """Answers files; what goes wrong with one is its own matter.

        Args:
          files: read one after the other, as they are needed.

        Returns:
          Rows of `rows.answers`, and the files that have none.
        """
        answered: dict[str, list[dict[str, Any]]] = {}
        refused: dict[str, Refused] = {}
        batch: list[_Slice] = []
        size = BATCH if self._opened.takes_batches else 1
        for one in self._slices(files, refused):
            batch.append(one)
            if len(batch) == size:
                self._run(batch, answered, refused)
                batch = []
        self._run(batch, answered, refused)
        kept = [row for path, found in answered.items() if path not in refused for row in found]
        return kept, list(refused.values())

    def _slices(self, files: Iterable[File], refused: dict[str, Refused]) -> Iterator[_Slice]:
        for file in files:
            place: dict[str, Any] = {"path": file.path, "sha256": file.sha256}
            try:
                if dicom_files.is_dicom(file.data):
                    yield from self._frames(file, place)
                else:
                    yield _Slice(file, place, predictor.read(file.data, file.path))
            except Exception as error:
                refused[file.path] = _refusal(file, place, error)

    def _frames(self, file: File, place: dict[str, Any]) -> Iterator[_Slice]:
        errors.need(*predictor.DICOM)
        from ctcov_tf.images import dicom, series

        header = dicom.read_header(file.data, file.path)
        place["study"], place["series"], place["instance"] = (
            pseudonym.pseudonym(uid, self._key) for uid in (header.study, header.series, header.instance)
        )
        known = self._opened.info.modality
        suitability.check(header, known, file.path)
        place["remarks"] = suitability.remarks(header, known)
        place["instance_number"] = header.instance_number
        if not header.instance:
            place["instance"] = None
        for index, grey in enumerate(dicom.grey_frames(file.data, file.path, self._window)):
            position = series.positions_along_normal([header.frames[index]])
            here = place | {"frame": index, "position_mm": None if position is None else float(position[0])}
            yield _Slice(file, here, predictor.read(encode.png(grey), file.path))

    def _run(self, batch: list[_Slice], answered: dict[str, list[dict[str, Any]]], refused: dict[str, Refused]) -> None:
        """Answers a batch; one by one where it fails as a whole, to know which image it is."""
        if not batch:
            return
        try:
            found = self._opened.predict_batch([one.image for one in batch])
        except Exception as error:
            if len(batch) == 1:
                refused[batch[0].file.path] = _refusal(batch[0].file, batch[0].place, error)
            else:
                for one in batch:
                    self._run([one], answered, refused)
            return
        for one, prediction in zip(batch, found, strict=True):
            answered.setdefault(one.file.path, []).append(rows.answer(one.place, prediction))


def _refusal(file: File, place: dict[str, Any], error: Exception) -> Refused:
    """The reason, in our own words: other libraries' messages may quote what a file holds."""
    kind: Kind = "unreadable"
    reason = f"neither decoded nor answered ({type(error).__name__})"
    if isinstance(error, errors.CtcovError):
        reason = errors.one_line(error).removeprefix(f"{file.path}: ")
        kind = "unsuitable" if isinstance(error, suitability.Unsuitable) else "unreadable"
    return Refused(file.path, kind, reason, file.sha256, place.get("study"), place.get("series"))
