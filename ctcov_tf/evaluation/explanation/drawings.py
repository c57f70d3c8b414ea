"""Figures of the checks: likeness by stage, maps by stage, deletion and insertion curves, lungs under the map."""

from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
import numpy.typing as npt

from ctcov_tf.evaluation.figures import INK, QUIET, STYLE, new_figure
from ctcov_tf.evaluation.panels import to_uint8
from ctcov_tf.images.overlay import overlay

MAP, LOT = "#0072B2", "#D55E00"
ROWS, COLUMNS = 3, 6  # examples
DONE = {"deletion": "deleted", "insertion": "inserted"}
MEASURES = {"rank_correlation": "rank correlation", "structural_similarity": "structural similarity (SSIM)"}


def likeness(found: dict[str, Any]) -> Figure:
    """Likeness to the original maps, stage by stage, with intervals; dotted: maps of different images.

    Args:
      found: what `randomisation.compare` gave.
    """
    names = [f"{stage['name']}\n({stage['layers']})" for stage in found["stages"]]
    places = np.arange(len(names))
    with mpl.rc_context(STYLE):
        figure = new_figure(9.6, 3.1)
        for axes, (key, title) in zip(figure.subplots(1, 2, sharey=True), MEASURES.items(), strict=True):
            points = [stage[key] for stage in found["stages"]]
            values = np.array([point["value"] for point in points])
            axes.plot(places, values, "o-", color=MAP)
            if points[0]["low"] is not None:
                low, high = (np.array([point[side] for point in points]) for side in ("low", "high"))
                axes.vlines(places, low, high, color=MAP, linewidth=1.4)
            if found["other_images"]:
                axes.axhline(
                    found["other_images"][key]["value"], color=QUIET, linestyle=":", label="maps of other images"
                )
                axes.legend(loc="upper right")
            axes.axhline(0, color=QUIET, linewidth=0.8)
            axes.set_xticks(places, names, fontsize=7.5)
            axes.set(title=f"{title} with the trained map", ylim=(-0.35, 1.05), xlim=(-0.4, len(names) - 0.6))
            axes.set_xlabel("random weights (layers)", fontsize=8)
    return figure


def cascade(seen: npt.NDArray, heatmaps: npt.NDArray, randomised: dict[str, npt.NDArray]) -> Figure:
    """Heat maps of the first images: of the trained network, then stage by stage.

    Args:
      seen: (n, size, size, 3), pre-processed.
      heatmaps: (n, h, w), of the trained network.
      randomised: the same by stage.
    """
    columns = {"trained": heatmaps, **randomised}
    rows = min(ROWS, len(seen))
    with mpl.rc_context(STYLE):
        figure = new_figure(1.65 * (len(columns) + 1), 1.65 * rows + 0.6)
        grid = figure.subplots(rows, len(columns) + 1, squeeze=False)
        for row, image in enumerate(map(to_uint8, seen[:rows])):
            _show(grid[row, 0], image, "image" if not row else "")
            for axes, (name, maps) in zip(grid[row, 1:], columns.items(), strict=True):
                _show(axes, overlay(image, maps[row]), name if not row else "")
    return figure


def curves(found: dict[str, Any]) -> Figure:
    """Mean probability as the image is deleted, and as it is inserted, by the map and by lot.

    Args:
      found: what `deletion.check` gave.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(9.6, 3.4)
        for axes, (kind, done) in zip(figure.subplots(1, 2, sharey=True), DONE.items(), strict=True):
            one = found[kind]
            for key, area, colour, line, name in (
                ("curve", "area", MAP, "-", "heat map's order"),
                ("random_curve", "random_area", LOT, "--", "order by lot"),
            ):
                label = f"{name}  area {one[area]['value']:.3f}"
                axes.plot(found["fractions"], one[key], line, color=colour, marker="o", markersize=3, label=label)
            axes.set(title=kind.capitalize(), xlabel=f"share of the image {done}", ylim=(-0.02, 1.02))
            axes.legend(loc="best")
        figure.axes[0].set_ylabel("probability explained")
    return figure


def lungs(seen: npt.NDArray, heatmaps: npt.NDArray, masks: Sequence[npt.NDArray | None]) -> Figure:
    """Heat maps with the outline of the lungs that were found, of the first images that have any.

    Args:
      seen: (n, size, size, 3), pre-processed.
      heatmaps: (n, h, w).
      masks: bool (size, size) each, or None.
    """
    shown = [index for index, mask in enumerate(masks) if mask is not None][:COLUMNS]
    with mpl.rc_context(STYLE):
        figure = new_figure(1.65 * len(shown), 2.1)
        for axes, index in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            mask = masks[index]
            assert mask is not None
            _show(axes, _outlined(overlay(to_uint8(seen[index]), heatmaps[index]), mask), f"{mask.mean():.0%} lung")
    return figure


def _outlined(image: npt.NDArray, mask: npt.NDArray) -> npt.NDArray:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(image), outlines, -1, (255, 255, 255), 1)


def _show(axes: Axes, image: npt.NDArray, title: str) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set_title(title, fontsize=8, fontweight="normal", color=INK)
    axes.axis("off")
