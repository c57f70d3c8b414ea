"""The HTML of the page's parts: the picture, the answer, the strip of slices, the studies, what was refused."""

import functools
import pathlib
from typing import Any

from ctcov_tf.model_info import ModelInfo
from ctcov_tf.pages import template as pages
from ctcov_tf.serving.page import results as results_lib
from ctcov_tf.serving.page.results import Result, Results


def picture(one: Result, heatmap: str | None) -> str:
    """The image, and a heat map over it whose opacity is the CSS variable `--overlay`.

    Args:
      one: the image.
      heatmap: name of the heat map; None for none.
    """
    colours = results_lib.coloured(one, heatmap) if heatmap else None
    return _render("picture.html", one=one, heatmap=heatmap, colours=colours)


def answer(one: Result, info: ModelInfo) -> str:
    """What the model says of an image.

    Args:
      one: the image.
      info: the record of the model that answered.
    """
    said = one.prediction.likelihoods
    likelihoods = [
        (part, [(output, said[name]) for output, name in zip(part.labels.outputs, part.likelihoods, strict=True)])
        for part in info.parts
    ]
    return _render("answer.html", one=one, answer=one.prediction, info=info, likelihoods=likelihoods)


def strip(results: Results) -> str:
    """All images, small and with their probabilities, as buttons; the first is marked as chosen.

    Args:
      results: of the files.
    """
    return _render("strip.html", images=results.images)


def studies(results: Results) -> str:
    """The answers to studies and to their series.

    Args:
      results: of the files.
    """
    return _render("studies.html", studies=results.studies)


def refused(results: Results) -> str:
    """The files that have no answer, and why.

    Args:
      results: of the files.
    """
    return _render("refused.html", refused=results.refused)


def model(info: ModelInfo, version: int) -> str:
    """What is known of the model: its training, its thresholds and what they reached on validation images.

    Args:
      info: its record.
      version: its number.
    """
    return _render("model.html", info=info, version=version)


def _render(template: str, **content: Any) -> str:
    return _environment().get_template(template).render(**content)


@functools.cache
def _environment() -> Any:
    made = pages.environment(pathlib.Path(__file__).parent)
    made.filters["data_url"] = pages.data_url
    made.filters["share"] = lambda value: "–" if value is None else f"{value:.3f}"
    return made
