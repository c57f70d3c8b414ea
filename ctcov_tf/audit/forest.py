"""Forest plot: the AUC of every classifier with its interval, beside chance and the limit."""

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctcov_tf.audit import verdict
from ctcov_tf.audit.classifiers import TITLES
from ctcov_tf.evaluation import figures, tables

ABOVE, WITHIN = figures.COLOURS["metadata only"], figures.COLOURS["test"]


def forest(audit: dict[str, Any]) -> Figure:
    """Draws one row for each classifier and class; the limit of a row is the short upright line.

    Args:
      audit: what `audit.audit` gave.
    """
    limits = verdict.Limits(**audit["limits"])
    rows = [(result, one) for result in audit["classifiers"] for one in result["classes"]]
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(8.4, 1.4 + 0.34 * max(len(rows), 1))
        axes = figure.add_subplot()
        axes.axvline(0.5, color=figures.QUIET, linewidth=0.9, linestyle="--")
        axes.text(
            0.5, 1.01, "chance", transform=axes.get_xaxis_transform(), ha="center", fontsize=8, color=figures.QUIET
        )
        names = []
        for row, (result, one) in enumerate(rows):
            names.append(f"{TITLES[result['name']]}: {one['label'].replace('_', ' ')}")
            _point(axes, row, one, verdict.limit_of(result["name"], limits))
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        axes.set_xlim(min(0.38, *(one["low"] or one["value"] for _, one in rows)) if rows else 0.38, 1.005)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="AUC against the rest, out of fold, 95 % interval over groups")
        axes.plot([], [], "o-", color=ABOVE, label="above its limit")
        axes.plot([], [], "o-", color=WITHIN, label="within")
        axes.plot([], [], "|", color=figures.INK, markersize=9, label="limit, for the lower end")
        figure.legend(loc="outside lower left", ncols=3)
    return figure


def _point(axes: Axes, row: int, one: dict[str, Any], limit: float) -> None:
    colour = ABOVE if one["low"] is not None and one["low"] > limit else WITHIN
    if one["low"] is not None:
        axes.plot([one["low"], one["high"]], [row, row], color=colour, solid_capstyle="butt")
    axes.plot(limit, row, "|", color=figures.INK, markersize=9, markeredgewidth=1.2)
    axes.plot(one["value"], row, "o", color=colour, markersize=6, markeredgecolor="white", markeredgewidth=0.8)
    axes.text(
        1.02, row, tables.number(one), transform=axes.get_yaxis_transform(), va="center", color=colour, fontsize=8
    )
