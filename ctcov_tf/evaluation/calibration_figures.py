"""Figures of what the probabilities are worth, in the style of `figures`."""

from typing import Any

import matplotlib as mpl
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np

from ctcov_tf.evaluation import figures

OURS, BEFORE = figures.COLOURS["test"], figures.COLOURS["metadata only"]
POINTS = figures.PALETTE[:-1]
LINES = ("-", "--", "-.", ":")
FLOOR = -0.05  # of the decision curve: calling all positive goes far below


def reliability(calibration: dict[str, Any], split: str) -> Figure:
    """Share of positives over the mean probability of each bin, and below how many images there are.

    Args:
      calibration: what `calibration.summarise` gave.
      split: the part, for the title.
    """
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(4.4, 5.2)
        axes, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
        axes.plot([0, 1], [0, 1], color=figures.QUIET, linewidth=0.8, linestyle=":")
        after = calibration["after"]
        if calibration["before"]:
            title = f"after, temperature {calibration['temperature']:.2f}"
            _diagram(axes, calibration["before"], BEFORE, "--", "before temperature scaling")
        else:
            title = "the network's probabilities"
        _diagram(axes, after, OURS, "-", title)
        bins = after["reliability"]["equal_width"]
        counts.bar(
            bins["low"], bins["images"], np.subtract(bins["high"], bins["low"]), align="edge", color=OURS, alpha=0.6
        )
        counts.yaxis.set_major_locator(ticker.MaxNLocator(3, integer=True))
        axes.set(title=f"Reliability, {split}", ylabel="share of positives", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        counts.set(xlabel="probability", ylabel="images")
        axes.legend(loc="upper left")
    return figure


def decision_curve(calibration: dict[str, Any], split: str) -> Figure:
    """Net benefit over the probability from which one would act.

    Args:
      calibration: what `calibration.summarise` gave.
      split: the part, for the title.
    """
    curve = calibration["decision_curve"]
    thresholds = curve["thresholds"]
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(4.4, 4.4)
        axes = figure.add_subplot()
        axes.axhline(0, color=figures.INK, linewidth=1, label="call none positive")
        axes.plot(
            thresholds, curve["all"], color=figures.QUIET, linewidth=1.4, linestyle="--", label="call all positive"
        )
        axes.plot(thresholds, curve["value"], color=OURS, label="the model")
        _band(axes, thresholds, curve, OURS)
        top = max(0.05, *curve["value"], curve["all"][0])
        axes.set(
            title=f"Decision curve, {split}",
            xlabel="probability from which one would act",
            ylabel="net benefit",
            xlim=(0, 1),
            ylim=(FLOOR, 1.1 * top),
        )
        axes.legend(loc="upper right")
    return figure


def predictive_values(calibration: dict[str, Any], split: str) -> Figure:
    """Positive and negative predictive value over the prevalence, a line an operating point.

    Args:
      calibration: what `calibration.summarise` gave.
      split: the part, for the title.
    """
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(9.0, 4.2)
        for axes, kind in zip(figure.subplots(1, 2), ("positive", "negative"), strict=True):
            for number, point in enumerate(calibration["operating_points"]):
                values = point["predictive_values"]
                colour = POINTS[number % len(POINTS)]
                prevalences = values["prevalences"]
                line = _numbers(values[kind]["value"])
                axes.plot(
                    prevalences,
                    line,
                    color=colour,
                    linestyle=LINES[number % len(LINES)],
                    label=point_title(point["name"]),
                )
                _band(axes, prevalences, values[kind], colour)
            axes.set(title=f"{kind.capitalize()} predictive value, {split}", xlabel="prevalence", xlim=(0, 0.5))
            axes.set_ylim(-0.02, 1.02)
            axes.xaxis.set_major_formatter(ticker.PercentFormatter(1, 0))
        axes.legend(loc="lower left", title="operating point")
    return figure


def point_title(name: str) -> str:
    """Name of an operating point as readers see it."""
    return {"youden": "Youden's J", "threshold": "the run's threshold"}.get(name, name.replace("_", " "))


def _diagram(axes: Axes, errors: dict[str, Any], colour: str, line: str, title: str) -> None:
    bins = errors["reliability"]["equal_mass"]
    error = errors["expected_calibration_error"]["equal_mass"]["value"]
    axes.plot(
        bins["probability"],
        bins["positives"],
        color=colour,
        linestyle=line,
        marker="o",
        markersize=5,
        markeredgecolor="white",
        label=f"{title}\nECE {error:.3f}",
    )


def _band(axes: Axes, x: list[float], estimates: dict[str, list[float | None]], colour: str) -> None:
    axes.fill_between(x, _numbers(estimates["low"]), _numbers(estimates["high"]), color=colour, alpha=0.13, linewidth=0)


def _numbers(values: list[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in values]
