"""What the page shows of files that were dropped on it: an answer an image, with its picture and heat maps."""

from collections.abc import Callable, Iterator, Mapping
import csv
import dataclasses
import io
from typing import Any

import cv2
import numpy.typing as npt

from ctcov_tf import RESEARCH_USE, errors, predictor
from ctcov_tf.images import decode, dicom_files, overlay
from ctcov_tf.predictor import Prediction
from ctcov_tf.serving.rest import Refusal
from ctcov_tf.serving.served_model import ServedModel

SHOWN = 768
"""Longest side of a picture on the page, pixels."""

_FORMULA = ("=", "+", "-", "@")  # what a formula begins with; tabs and carriage returns are written as escapes

THUMBNAIL = 96
"""Longest side of a picture in the strip, pixels."""


PLACE = ("study", "series", "slice", "instance_number", "position_mm")
"""What is said of where a DICOM slice belongs."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The answer to one image.

    Attributes:
      name: of the file; of a DICOM slice pseudonyms and its number.
      prediction: the answer.
      picture: PNG file of the image, at most `SHOWN` pixels.
      thumbnail: the same, at most `THUMBNAIL` pixels.
      heatmaps: float32 (height, width) in [0, 1], by what they explain; none of a model without, nor of a refused
        image.
      place: what `PLACE` names, of a DICOM slice; empty of other images.
    """

    name: str
    prediction: Prediction
    picture: bytes
    thumbnail: bytes
    heatmaps: dict[str, npt.NDArray]
    place: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Results:
    """What became of all files.

    Attributes:
      images: in the order of the files; slices in the order of their series.
      studies: the answer to each study, as `studies.StudyAnswer` in plain types.
      refused: why a file has no answer, by its name.
    """

    images: tuple[Result, ...] = ()
    studies: tuple[dict[str, Any], ...] = ()
    refused: dict[str, str] = dataclasses.field(default_factory=dict)


Watch = Callable[[int, int], None]
"""Is told how many images are answered, and of how many."""


def answer(files: Mapping[str, bytes], model: ServedModel, *, watch: Watch = lambda done, all: None) -> Results:
    """Answers files: pictures each for itself, DICOM files by their studies.

    Args:
      files: content by name.
      model: that answers, and explains where it can.
      watch: shows how far it is.
    """
    dicom = {name: data for name, data in files.items() if dicom_files.is_dicom(data)}
    pictures = {name: data for name, data in files.items() if name not in dicom}
    images: list[Result] = []
    refused: dict[str, str] = {}
    for done, (name, data) in enumerate(pictures.items()):
        watch(done, len(pictures))
        try:
            images.append(_answered(model, name, data))
        except (errors.CtcovError, Refusal) as error:
            refused[name] = errors.one_line(error).removeprefix(f"{name}: ")
    if not dicom:
        return Results(tuple(images), (), refused)
    slices: dict[str, Result] = {}

    def answer_slice(name: str, data: bytes) -> Prediction:
        slices[name] = _answered(model, name, data)
        return slices[name].prediction

    def watched(series: Any, answers: Iterator[Any]) -> Iterator[Any]:
        for done, one in enumerate(answers, 1):
            watch(done, len(series.slices))
            yield one

    try:
        answered = model.answer_study(dicom, answer_slice, watch=watched, check=lambda: watch(0, len(dicom)))
    except (errors.CtcovError, Refusal) as error:
        return Results(tuple(images), (), refused | dict.fromkeys(dicom, errors.one_line(error)))
    for study in answered.studies:
        for record in study.records():
            place = {name: record[name] for name in PLACE}
            images.append(dataclasses.replace(slices[record["image"]], place=place))
    return Results(
        tuple(images), tuple(study.record(model.info) for study in answered.studies), refused | answered.refused
    )


def rows(results: Results) -> list[dict[str, Any]]:
    """A row an image: what `ctcov predict --json` says of it, one value a column.

    Args:
      results: of the files.
    """
    return [_row(one) for one in results.images]


def as_csv(results: Results) -> str:
    """The rows as a CSV file, in whose last column stands the notice.

    Args:
      results: of the files; at least one is answered.
    """
    table = rows(results)
    file = io.StringIO()
    columns = dict.fromkeys(name for row in table for name in row)  # a refused image has fewer than others
    writer = csv.DictWriter(file, [*columns, "notice"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in (row | {"notice": RESEARCH_USE}).items()} for row in table)
    return file.getvalue()


def _cell(value: Any) -> Any:
    """A value of the table: a text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = errors.printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def coloured(one: Result, heatmap: str) -> bytes:
    """A heat map's colours, of the size of the picture that they lie over: a PNG file.

    Args:
      one: the image.
      heatmap: name of the heat map.
    """
    rgb = decode.decode_rgb(one.picture, one.name)
    return _png(overlay.overlay(rgb, one.heatmaps[heatmap], alpha=1.0))


def _answered(model: ServedModel, name: str, data: bytes) -> Result:
    if not model.explains:
        prediction = model.answer_image(name, data)
        return _result(prediction, predictor.read(data, name, model.info.modality).rgb, {})
    found = model.explain_image(name, data)
    return _result(found.prediction, found.image, found.heatmaps)


def _result(prediction: Prediction, rgb: npt.NDArray, heatmaps: dict[str, npt.NDArray]) -> Result:
    shown, small = _png(_within(rgb, SHOWN)), _png(_within(rgb, THUMBNAIL))
    return Result(prediction.name, prediction, shown, small, heatmaps)


def _row(one: Result) -> dict[str, Any]:
    content = dataclasses.asdict(one.prediction)
    classes, points = content.pop("prediction_set"), content.pop("operating_points")
    probabilities, likelihoods = content.pop("probabilities"), content.pop("likelihoods")
    return {
        "image": content.pop("name"),
        "probability": content.pop("probability"),
        "label": content.pop("label"),
        **(dict.fromkeys(PLACE) | one.place),
        **content,
        "prediction_set": None if classes is None else " ".join(classes),
        **{f"probability_{name}": value for name, value in probabilities.items()},
        **likelihoods,
        **{f"decision_{name}": value for name, value in points.items()},
    }


def _within(rgb: npt.NDArray, side: int) -> npt.NDArray:
    """The image, made smaller where it is larger than a side."""
    scale = side / max(rgb.shape[:2])
    return rgb if scale >= 1 else cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _png(rgb: npt.NDArray) -> bytes:
    grey = bool((rgb == rgb[..., :1]).all())
    return cv2.imencode(".png", rgb[..., 0] if grey else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
