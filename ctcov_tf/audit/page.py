"""The audit for readers: a summary for the terminal and one HTML page that needs no other file."""

import io
import pathlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ctcov_tf import RESEARCH_USE
from ctcov_tf.audit import classifiers, forest, verdict, views
from ctcov_tf.audit.scan import Scan
from ctcov_tf.evaluation import figures, tables
from ctcov_tf.pages import template

MOST_PAIRS = 12
VIEW_TITLES = {
    "border": "border",
    "masked_centre": "centre masked",
    "thumbnail": "16 x 16 thumbnail",
}

_HEIGHT = 192  # of a picture, pixels
_MOST_SOURCES = 20


def summary(audit: dict[str, Any]) -> str:
    """The audit as plain text: the verdict, then the classifiers and the counts.

    Args:
      audit: what `audit.audit` gave.
    """
    judged = audit["verdict"]
    rows = [["sees only", "class", "AUC [95 % interval over groups]", "limit"]]
    limits = verdict.Limits(**audit["limits"])
    for result in audit["classifiers"]:
        title, limit = classifiers.TITLES[result["name"]], f"{verdict.limit_of(result['name'], limits):g}"
        rows += [[title, one["label"], tables.number(one), limit] for one in result["classes"]]
    labels = list(next(iter(audit["counts"].values())))
    counts = [["images", *labels]] + [[part, *map(str, by.values())] for part, by in audit["counts"].items()]
    return "\n".join(
        [
            judged["headline"],
            "",
            *(f"FINDING: {text}" for text in judged["findings"]),
            *(f"caution: {text}" for text in judged["cautions"]),
            *(f"clean:   {text}" for text in judged["clean"]),
            "",
            tables.aligned(rows),
            "",
            tables.aligned(counts),
            RESEARCH_USE,
        ]
    )


def render(audit: dict[str, Any], seen: Scan | None) -> str:
    """Renders the page.

    Args:
      audit: what `audit.audit` gave.
      seen: the images; None leaves every picture of them out.

    Returns:
      HTML.
    """
    environment = template.environment(pathlib.Path(__file__).parent)
    pairs = sorted(audit["duplicates"]["pairs"], key=_gravity)
    return environment.get_template("audit.html").render(
        audit=audit,
        verdict=audit["verdict"],
        labels=list(next(iter(audit["counts"].values()))),
        titles=classifiers.TITLES,
        view_titles=VIEW_TITLES,
        limits={
            result["name"]: verdict.limit_of(result["name"], verdict.Limits(**audit["limits"]))
            for result in audit["classifiers"]
        },
        forest=_figure_url(audit) if any(result["classes"] for result in audit["classifiers"]) else None,
        schemes={name: _png_url(_scheme(name)) for name in views.NAMES},
        examples=_examples(seen) if seen else [],
        pairs=[pair | _pictures_of(pair, seen) for pair in pairs[:MOST_PAIRS]],
        more_pairs=max(0, len(pairs) - MOST_PAIRS),
        sources=dict(list(audit["sources"].items())[:_MOST_SOURCES]),
        more_sources=max(0, len(audit["sources"]) - _MOST_SOURCES),
        notice=RESEARCH_USE,
    )


def _gravity(pair: dict[str, Any]) -> tuple[bool, bool, float]:
    return "classes" not in pair["between"], "parts" not in pair["between"], -pair["correlation"]


def _examples(seen: Scan) -> list[dict[str, Any]]:
    """The first image of each class as the classifiers see it, and the mean of all images of the class."""
    found = []
    for label, rows in seen.table.groupby("label").indices.items():
        thumbnail = seen.thumbnails[rows[0]]
        mean = np.round(seen.thumbnails[rows].mean(axis=0)).astype(np.uint8)
        found.append(
            {
                "label": label,
                "image_id": seen.table["image_id"].iloc[rows[0]],
                "images": len(rows),
                "whole": _jpeg_url(cv2.resize(thumbnail, (_HEIGHT, _HEIGHT), interpolation=cv2.INTER_LINEAR)),
                "views": {name: _png_url(views.picture(name, thumbnail)) for name in views.NAMES},
                "mean": _jpeg_url(cv2.resize(mean, (_HEIGHT, _HEIGHT), interpolation=cv2.INTER_LINEAR)),
            }
        )
    return found


def _pictures_of(pair: dict[str, Any], seen: Scan | None) -> dict[str, Any]:
    if seen is None:
        return {"pictures": []}
    rows = seen.table.reset_index().set_index("image_id").loc[[pair["first"], pair["second"]], "index"]
    return {"pictures": [_jpeg_url(_upright(seen, int(row))) for row in rows]}


def _upright(seen: Scan, row: int) -> npt.NDArray:
    """A thumbnail in its image's own proportions."""
    width, height = (int(seen.table[name].iloc[row]) for name in ("width", "height"))
    wide = min(3 * _HEIGHT, max(_HEIGHT // 3, round(_HEIGHT * width / height)))
    return cv2.resize(seen.thumbnails[row], (wide, _HEIGHT), interpolation=cv2.INTER_LINEAR)


def _scheme(name: str) -> npt.NDArray:
    """Which cells a view shows, bright, and which it hides, dark."""
    cells = np.where(views.shown(name), np.uint8(225), np.uint8(90))
    if name == "thumbnail":
        cells = cells - np.indices(cells.shape).sum(axis=0).astype(np.uint8) % 2 * 25
    return cv2.resize(cells, (_HEIGHT, _HEIGHT), interpolation=cv2.INTER_NEAREST)


def _figure_url(audit: dict[str, Any]) -> str:
    written = io.BytesIO()
    forest.forest(audit).savefig(written, dpi=figures.DPI, facecolor="white", format="png")
    return template.data_url(written.getvalue())


def _png_url(picture: npt.NDArray) -> str:
    return template.data_url(cv2.imencode(".png", picture)[1].tobytes())


def _jpeg_url(picture: npt.NDArray) -> str:
    return template.data_url(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes(), "jpeg")
