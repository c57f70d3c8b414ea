"""DICOM files to a served model: the answers to their slices and studies, through the same queue as images."""

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any

from ctcov_tf import errors, studies
from ctcov_tf.images import dicom, window
from ctcov_tf.images import series as series_lib
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Prediction
from ctcov_tf.serving.rest import Refusal
from ctcov_tf.serving.settings import Settings

AnswerImage = Callable[[str, bytes], Prediction]
"""From an image's name and file to its answer; blocks until that is there."""


@dataclasses.dataclass(frozen=True)
class Answered:
    """What became of DICOM files.

    Attributes:
      studies: each with the answers to its slices.
      refused: why a file has no answer, by what it is called.
    """

    studies: tuple[studies.AnsweredStudy, ...]
    refused: dict[str, str]


def answer(
    sources: Mapping[str, dicom.Source],
    info: ModelInfo,
    answer_image: AnswerImage,
    settings: Settings,
    *,
    watch: studies.Watch = lambda series, answers: answers,
    check: Callable[[], None] = lambda: None,
) -> Answered:
    """Answers the slices of DICOM files, and the studies that they make.

    Args:
      sources: the files, or their contents, by what they are called.
      info: the model's record.
      answer_image: what answers a slice; what it raises ends the whole.
      settings: of the server: the window, and most slices.
      watch: shows how far the slices are.
      check: is called before each header that is read; what it raises ends the whole.

    Raises:
      Refusal: there are too many slices.
    """
    limits = dicom.Limits(bytes=settings.limits.body)
    found = series_lib.collect(sources, info.modality, limits, check)
    slices = sum(len(series.slices) for series in found.series)
    if slices > settings.limits.slices:
        raise Refusal(413, f"{slices} slices: send at most {settings.limits.slices} at once")
    complaints = [*found.unreadable, *found.skipped]

    def answer_slice(data: bytes, name: str, stem: str) -> tuple[Prediction, dict[str, Any]]:
        return answer_image(name, data), {}

    answered = studies.answer_studies(
        found.series,
        answer_slice,
        info,
        complain=complaints.append,
        window=window.of(settings.window),
        watch=watch,
        limits=limits,
    )
    return Answered(tuple(answered), dict(_named(error) for error in complaints))


def _named(error: errors.CtcovError) -> tuple[str, str]:
    """What the file is called, and what is said of it."""
    name, _, reason = errors.one_line(error).partition(": ")
    return name, reason
