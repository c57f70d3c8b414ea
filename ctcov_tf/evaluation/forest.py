"""Forest plot: the AUC of several models with intervals, one row a model."""

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctcov_tf.evaluation import figures, tables

WHOLE, SAME_SOURCE = figures.COLOURS["test"], figures.COLOURS["metadata only"]


def forest(comparison: dict[str, Any]) -> Figure:
    """Draws the AUC of each arm on the whole part and on the images whose source also holds positives.

    Args:
      comparison: what `comparison.compare` gave.
    """
    arms = comparison["arms"]
    split = comparison["split"]
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(8.4, 1.5 + 0.62 * len(arms))
        axes = figure.add_subplot()
        reference = arms[comparison["reference"]]["metrics"]["auc"]["value"]
        if reference is not None:
            axes.axvline(reference, color=figures.QUIET, linewidth=0.8, linestyle=":")
        for row, arm in enumerate(arms.values()):
            _point(axes, row - 0.14, arm["metrics"]["auc"], WHOLE, "o", f"whole {split} part")
            if arm["same_source"]:
                _point(axes, row + 0.2, arm["same_source"]["metrics"]["auc"], SAME_SOURCE, "D", "same source only")
        axes.set_yticks(range(len(arms)), list(arms))
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.set_xlim(max(0.0, axes.get_xlim()[0]), 1.0)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set(title=f"AUC on the {split} part, 95 % interval over groups", xlabel="AUC")
        by_label = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        if by_label:
            figure.legend(by_label.values(), by_label.keys(), loc="outside lower left", ncols=2)
    return figure


def _point(axes: Axes, y: float, auc: dict[str, float | None], colour: str, marker: str, label: str) -> None:
    value, low, high = auc["value"], auc["low"], auc["high"]
    if value is None:
        axes.text(1.02, y, "undefined", transform=axes.get_yaxis_transform(), va="center", color=colour, fontsize=8)
        return
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    axes.plot(value, y, marker, color=colour, markersize=6, markeredgecolor="white", markeredgewidth=0.8, label=label)
    axes.text(1.02, y, tables.number(auc), transform=axes.get_yaxis_transform(), va="center", color=colour, fontsize=8)
