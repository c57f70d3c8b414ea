"""`ctcov predict` on DICOM files: a table or JSON lines of slices, and a line for each study."""

import collections
from collections.abc import Collection, Iterable, Iterator, Sequence
import json
import pathlib
import sys

from ctcov_tf import errors, studies
from ctcov_tf.images import series as series_lib
from ctcov_tf.images import window as window_lib
from ctcov_tf.images.series import Series
from ctcov_tf.images.suitability import Unsuitable
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Answer
from ctcov_tf.progress import Bar


def predict_studies(
    info: ModelInfo,
    paths: Sequence[pathlib.Path],
    answer: Answer,
    *,
    named: Collection[pathlib.Path] = (),
    as_json: bool = False,
    window: tuple[float, float] | None = None,
) -> int:
    """Answers DICOM files: their slices, their series, their studies.

    Nothing of a patient is printed on stdout: studies and series have pseudonyms, slices numbers. Errors, on stderr,
    name files by their paths. Files that are not for the model are errors where nothing else is there or they are
    `named`; others, as a folder holds them, are counted by reason.

    Args:
      info: the model's record.
      paths: the files; they are DICOM.
      answer: what answers an image.
      named: those of the files that the user names one by one.
      as_json: JSON lines instead of the table.
      window: centre and width of the window that CT goes through, Hounsfield units; that of the lung if None.

    Returns:
      Exit code: 0, or 2 where a file could not be read or nothing was there for the model.

    Raises:
      CtcovError: there is no such window.
    """
    chosen = window_lib.of(window)
    found = series_lib.collect({str(path): path for path in paths}, info.modality)
    refused, left_out = _refused(found, named)
    complaints: list[errors.CtcovError] = [*found.unreadable, *refused]
    _complain(complaints)

    def complain(error: errors.CtcovError) -> None:
        _complain([error])
        complaints.append(error)

    answered = studies.answer_studies(
        found.series, answer, info, complain=complain, window=chosen, watch=_with_progress
    )
    for study in answered:
        _print_json(study, info) if as_json else _print_table(study)
    for reason, count in collections.Counter(error.reason for error in left_out).items():
        print(f"left out: {count} {'file' if count == 1 else 'files'}: {reason}", file=sys.stderr)
    return errors.EXIT_USER_ERROR if complaints else 0


def _refused(
    found: series_lib.Collection, named: Collection[pathlib.Path]
) -> tuple[list[Unsuitable], list[Unsuitable]]:
    """Files to complain of, one for each reason where there are no others, and those to count."""
    refused = [error for error in found.skipped if pathlib.Path(error.name) in named]
    left_out = [error for error in found.skipped if pathlib.Path(error.name) not in named]
    if not found.series:
        refused += {error.reason: error for error in reversed(left_out)}.values()
    return refused, left_out


def _complain(complaints: Sequence[errors.CtcovError]) -> None:
    for error in complaints:
        print(f"error: {error}", file=sys.stderr)


def _with_progress(series: Series, answers: Iterator[studies.SliceAnswer]) -> Iterable[studies.SliceAnswer]:
    return Bar(
        answers,
        total=len(series.slices),
        desc=f"predict series {series.series}",
        unit="slice",
    )


def _print_json(study: studies.AnsweredStudy, info: ModelInfo) -> None:
    drawn = (one.drawn for _, answers in study.slices for one in answers)
    for record, more in zip(study.records(), drawn, strict=True):
        print(json.dumps(record | more))
    print(json.dumps(study.record(info)))


def _print_table(study: studies.AnsweredStudy) -> None:
    for series, answers in study.slices:
        print(f"study {series.study}, series {series.series}: {len(series.slices)} slices")
        print("slice  position, mm  probability  threshold  decision")
        for one in answers:
            position = "-" if one.position is None else f"{one.position:.1f}"
            probability = "-" if one.prediction.probability is None else f"{one.prediction.probability:.4f}"
            threshold = "-" if one.prediction.probability is None else f"{one.prediction.threshold:.4f}"
            print(f"{one.number:5}  {position:>12}  {probability:>11}  {threshold:>9}  {one.prediction.label}")
    for of_series in study.answer.series:
        print(f"series {of_series.series}: {_summary(of_series)}")
        for remark in of_series.remarks:
            print(f"  {remark}")
    print(f"study {study.answer.study}: {_summary(study.answer)}")


def _summary(answer: studies.SeriesAnswer | studies.StudyAnswer) -> str:
    if answer.maximum is None or answer.mean_of_highest is None:
        return "no slice has a probability"
    mean = f"maximum {answer.maximum:.4f}, mean of the highest {answer.highest} {answer.mean_of_highest:.4f}"
    if answer.threshold is None:
        return f"{mean}, no decision"
    return f"{mean}, threshold {answer.threshold:.4f}: {answer.label}"
