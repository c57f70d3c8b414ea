"""Answers about series of DICOM slices and about the studies that they belong to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
import dataclasses
import itertools
from typing import Any

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf import study as study_lib
from ctcov_tf.images import dicom, encode
from ctcov_tf.images.series import Series, Slice
from ctcov_tf.images.window import LUNG, Window
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Answer, Prediction

NO_RULE = "this model has no rule for studies: no decision about the study"


@dataclasses.dataclass(frozen=True)
class SliceAnswer:
    """The answer to one slice.

    Attributes:
      number: of the slice in its series' order, from 1.
      instance_number: DICOM's own; None where it is not stated.
      position: along the normal of the slices, mm; None where the series is not ordered by it.
      prediction: the answer; its name is made of pseudonyms and the number.
      drawn: what else is said of it: where its heat map is.
    """

    number: int
    instance_number: int | None
    position: float | None
    prediction: Prediction
    drawn: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class SeriesAnswer:
    """The answer to one series, of its slices' probabilities of the positive class.

    Attributes:
      series: pseudonym of the series.
      slices: how many it has.
      answered: slices with a probability.
      maximum: the highest probability; None where no slice has one.
      mean_of_highest: mean of the highest `highest` probabilities; None likewise.
      highest: how many are averaged.
      threshold: of the mean, chosen on validation groups; None where the model has no rule.
      label: the decision: the positive class where the mean is at or above the threshold, else its negative; None where
        there is no mean or no rule.
      remarks: what should be known of the answer.
    """

    series: str
    slices: int
    answered: int
    maximum: float | None
    mean_of_highest: float | None
    highest: int
    threshold: float | None
    label: str | None
    remarks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class StudyAnswer:
    """The answer to a study: that of its series with the highest mean.

    Attributes:
      study: pseudonym of the study.
      decided_by: pseudonym of that series.
      maximum: of that series, as all that follows.
      mean_of_highest: see `SeriesAnswer`.
      highest: see `SeriesAnswer`.
      threshold: see `SeriesAnswer`.
      label: see `SeriesAnswer`.
      series: the answers to all its series.
    """

    study: str
    decided_by: str
    maximum: float | None
    mean_of_highest: float | None
    highest: int
    threshold: float | None
    label: str | None
    series: tuple[SeriesAnswer, ...]


@dataclasses.dataclass(frozen=True)
class AnsweredStudy:
    """The answer to a study, and those to its slices.

    Attributes:
      answer: to the study.
      slices: to the slices of each series, in their order.
    """

    answer: StudyAnswer
    slices: tuple[tuple[Series, tuple[SliceAnswer, ...]], ...]

    def records(self) -> Iterator[dict[str, Any]]:
        """What is said of each slice, in plain JSON types."""
        for series, answers in self.slices:
            for one in answers:
                content: dict[str, Any] = dataclasses.asdict(one.prediction)
                yield {
                    "image": content.pop("name"),
                    "study": series.study,
                    "series": series.series,
                    "slice": one.number,
                    "instance_number": one.instance_number,
                    "position_mm": one.position,
                    **content,
                    "notice": RESEARCH_USE,
                }

    def record(self, info: ModelInfo) -> dict[str, Any]:
        """What is said of the study, in plain JSON types.

        Args:
          info: the model's record.
        """
        return dataclasses.asdict(self.answer) | {"model": info.name, "notice": RESEARCH_USE}


Watch = Callable[[Series, Iterator[SliceAnswer]], Iterable[SliceAnswer]]
"""Passes on the answers to the slices of a series, and shows how far they are."""


def answer_studies(
    found: Sequence[Series],
    answer: Answer,
    info: ModelInfo,
    *,
    complain: Callable[[errors.CtcovError], None],
    window: Window = LUNG,
    watch: Watch = lambda series, answers: answers,
    limits: dicom.Limits = dicom.LIMITS,
) -> Iterator[AnsweredStudy]:
    """Answers studies one after the other.

    Args:
      found: their series; those of one study stand together.
      answer: what answers an image.
      info: the model's record, with its rule for studies.
      complain: is told of each file that cannot be decoded; its other frames are left out.
      window: of CT, Hounsfield units.
      watch: shows how far the slices are.
      limits: what is refused of a file.

    Yields:
      An answer a study.
    """
    for study, of_study in itertools.groupby(found, key=lambda series: series.study):
        slices = []
        for series in of_study:
            answers = watch(series, answer_slices(series, answer, complain, window, limits))
            slices.append((series, tuple(sorted(answers, key=lambda one: one.number))))
        by_series = [answer_series(series, answers, info) for series, answers in slices]
        yield AnsweredStudy(answer_study(study, by_series), tuple(slices))


def answer_slices(
    series: Series,
    answer: Answer,
    complain: Callable[[errors.CtcovError], None],
    window: Window = LUNG,
    limits: dicom.Limits = dicom.LIMITS,
) -> Iterator[SliceAnswer]:
    """Answers the slices of a series one after the other, file by file.

    Args:
      series: the series.
      answer: what answers an image.
      complain: is told of each file that cannot be decoded; its other frames are left out.
      window: of CT, Hounsfield units.
      limits: what is refused of a file.

    Yields:
      An answer a slice: in the order of the series, as far as files of several frames hold to it.
    """
    by_file: dict[str, dict[int, tuple[int, Slice]]] = {}
    for number, one in enumerate(series.slices, start=1):
        by_file.setdefault(one.name, {})[one.index] = number, one
    for name, frames in by_file.items():
        source = next(iter(frames.values()))[1].source
        try:
            for index, grey in enumerate(dicom.grey_frames(source, name, window, limits)):
                number, one = frames[index]
                parts = series.study, series.series, f"{number:04d}"
                prediction, drawn = answer(encode.png(grey), "/".join(parts), "-".join(parts))
                yield SliceAnswer(number, one.instance_number, one.position, prediction, drawn)
        except errors.CtcovError as error:
            complain(error)


def answer_series(series: Series, answers: Sequence[SliceAnswer], info: ModelInfo) -> SeriesAnswer:
    """Makes one answer of those to the slices.

    Args:
      series: the series.
      answers: to its slices, as many as could be answered.
      info: the model's record, with its rule for studies.

    Returns:
      The answer.
    """
    found = [one.prediction.probability for one in answers]
    return summarise_series(series.series, len(series.slices), found, info, series.remarks)


def summarise_series(
    series: str, slices: int, answers: Sequence[float | None], info: ModelInfo, remarks: Sequence[str] = ()
) -> SeriesAnswer:
    """Makes one answer of the probabilities of a series' slices.

    Args:
      series: pseudonym of the series.
      slices: how many it has.
      answers: probability of each slice that could be read; None where the input gate refused it.
      info: the model's record, with its rule for studies.
      remarks: what should be said of the series itself.

    Returns:
      The answer.
    """
    rule = info.study
    highest = rule.highest if rule else study_lib.DEFAULT_HIGHEST
    probabilities = [probability for probability in answers if probability is not None]
    mean = study_lib.mean_of_highest(probabilities, highest) if probabilities else None
    said = list(remarks)
    if unread := slices - len(answers):
        said.append(f"{unread} of {slices} slices could not be read")
    if refused := len(answers) - len(probabilities):
        said.append(f"{refused} of {slices} slices are unlike the images that the model knows")
    if rule is None:
        said.append(NO_RULE)
    elif len(probabilities) > rule.largest_group:
        said.append(
            f"the rule for studies was chosen on groups of at most {rule.largest_group} images: "
            f"of {len(probabilities)} slices the highest are higher by number alone"
        )
    label = None
    if rule and mean is not None:
        label = info.labels.positive if mean >= rule.threshold else info.labels.negative
    return SeriesAnswer(
        series=series,
        slices=slices,
        answered=len(probabilities),
        maximum=max(probabilities, default=None),
        mean_of_highest=mean,
        highest=highest,
        threshold=rule.threshold if rule else None,
        label=label,
        remarks=tuple(said),
    )


def answer_study(study: str, answers: Sequence[SeriesAnswer]) -> StudyAnswer:
    """Makes one answer of those to the series of a study.

    Args:
      study: pseudonym of the study.
      answers: to its series, at least one.

    Returns:
      The answer.
    """
    first = max(answers, key=lambda one: -1.0 if one.mean_of_highest is None else one.mean_of_highest)
    return StudyAnswer(
        study=study,
        decided_by=first.series,
        maximum=first.maximum,
        mean_of_highest=first.mean_of_highest,
        highest=first.highest,
        threshold=first.threshold,
        label=first.label,
        series=tuple(answers),
    )
