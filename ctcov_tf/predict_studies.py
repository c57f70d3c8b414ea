"""`ctcov predict` on DICOM files: a table or JSON lines of slices, and a line for each study."""

import collections
from collections.abc import Collection, Sequence
import dataclasses
import itertools
import json
import pathlib
import sys
from typing import Any

import tqdm

from ctcov_tf import RESEARCH_USE, errors, studies
from ctcov_tf.images import series as series_lib
from ctcov_tf.images.series import Series
from ctcov_tf.images.suitability import Unsuitable
from ctcov_tf.images.window import LUNG, Window
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Answer
from ctcov_tf.progress import SILENT_SECONDS


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
    chosen = Window(*window) if window else LUNG
    found = series_lib.collect({str(path): path for path in paths}, info.modality)
    refused, left_out = _refused(found, named)
    complaints: list[errors.CtcovError] = [*found.unreadable, *refused]
    _complain(complaints)
    for study, of_study in itertools.groupby(found.series, key=lambda series: series.study):
        answers = []
        for series in of_study:
            unreadable: list[errors.CtcovError] = []
            slices = _answered(series, answer, unreadable, chosen)
            _complain(unreadable)
            complaints += unreadable
            _print_slices(series, slices, as_json=as_json)
            answers.append(studies.answer_series(series, slices, info))
        _print_study(studies.answer_study(study, answers), info, as_json=as_json)
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


def _answered(
    series: Series, answer: Answer, unreadable: list[errors.CtcovError], window: Window
) -> list[studies.SliceAnswer]:
    """Answers to the slices, in their order; files that cannot be decoded are added to `unreadable`."""
    answers = tqdm.tqdm(
        studies.answer_slices(series, answer, unreadable.append, window),
        total=len(series.slices),
        desc=f"predict series {series.series}",
        unit="slice",
        delay=SILENT_SECONDS,
        leave=False,
    )
    return sorted(answers, key=lambda one: one.number)


def _print_slices(series: Series, answers: Sequence[studies.SliceAnswer], *, as_json: bool) -> None:
    if as_json:
        for one in answers:
            content: dict[str, Any] = dataclasses.asdict(one.prediction)
            image = content.pop("name")
            place = {
                "study": series.study,
                "series": series.series,
                "slice": one.number,
                "instance_number": one.instance_number,
                "position_mm": one.position,
            }
            print(json.dumps({"image": image, **place, **content, "notice": RESEARCH_USE, **one.drawn}))
        return
    print(f"study {series.study}, series {series.series}: {len(series.slices)} slices")
    print("slice  position, mm  probability  threshold  decision")
    for one in answers:
        position = "-" if one.position is None else f"{one.position:.1f}"
        probability = "-" if one.prediction.probability is None else f"{one.prediction.probability:.4f}"
        threshold = "-" if one.prediction.probability is None else f"{one.prediction.threshold:.4f}"
        print(f"{one.number:5}  {position:>12}  {probability:>11}  {threshold:>9}  {one.prediction.label}")


def _print_study(answer: studies.StudyAnswer, info: ModelInfo, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(dataclasses.asdict(answer) | {"model": info.name, "notice": RESEARCH_USE}))
        return
    for one in answer.series:
        print(f"series {one.series}: {_summary(one)}")
        for remark in one.remarks:
            print(f"  {remark}")
    print(f"study {answer.study}: {_summary(answer)}")


def _summary(answer: studies.SeriesAnswer | studies.StudyAnswer) -> str:
    if answer.maximum is None or answer.mean_of_highest is None:
        return "no slice has a probability"
    mean = f"maximum {answer.maximum:.4f}, mean of the highest {answer.highest} {answer.mean_of_highest:.4f}"
    if answer.threshold is None:
        return f"{mean}, no decision"
    return f"{mean}, threshold {answer.threshold:.4f}: {answer.label}"
