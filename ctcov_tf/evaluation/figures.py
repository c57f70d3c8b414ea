"""Figures of the report: one function a figure, each gives a matplotlib figure that no state outlives."""

from collections.abc import Sequence
import pathlib
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as sk

from ctcov_tf import RESEARCH_USE, files
from ctcov_tf.config import TrainConfig
from ctcov_tf.statistics import bootstrap

# Okabe and Ito's palette: told apart with every kind of colour vision
COLOURS = {"validation": "#56B4E9", "test": "#0072B2", "train": "#009E73", "metadata only": "#D55E00"}
INK, QUIET = "#222222", "#767676"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", INK)
"""Theirs for any lines, without the yellow, which is too pale for one."""

DPI = 160

STYLE: Any = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a figure as PNG, whole or not at all."""
    with files.atomic_path(path) as written:
        figure.savefig(written, dpi=DPI, facecolor="white", metadata={"Description": RESEARCH_USE})


def roc(curves: dict[str, pd.DataFrame], threshold: float, band: str | None = None) -> Figure:
    """ROC curves; the dot is the operating point.

    Args:
      curves: predictions (`target`, `probability`, `group_id`) by the curve's name.
      threshold: of the decision; drawn on every curve but that of `metadata only`.
      band: name of the curve whose 95 % interval is drawn.
    """
    figure, axes = _square("ROC curve", "1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
    grid = np.linspace(0, 1, 201)
    for name, frame in _of_both_classes(curves).items():
        target, probability = frame["target"], frame["probability"]
        false_rate, true_rate, _ = sk.roc_curve(target, probability, drop_intermediate=False)
        label = f"{name}  AUC {sk.roc_auc_score(target, probability):.3f}"
        _curve(axes, name, false_rate, true_rate, label)
        limits = bootstrap.roc_band(target, probability, frame["group_id"].to_numpy(), grid) if name == band else None
        if limits:
            axes.fill_between(grid, *limits, color=_colour(name), alpha=0.15, linewidth=0)
        if name != "metadata only":
            decision = probability >= threshold
            point = (decision[target == 0].mean(), decision[target == 1].mean())
            _operating_point(axes, name, point)
    return _legend(figure, axes, "lower right")


def precision_recall(curves: dict[str, pd.DataFrame], threshold: float) -> Figure:
    """Precision-recall curves; the dot is the operating point, the dotted lines the share of positives.

    Args:
      curves: predictions (`target`, `probability`) by the curve's name.
      threshold: of the decision; drawn on every curve but that of `metadata only`.
    """
    figure, axes = _square("Precision-recall curve", "recall (sensitivity)", "precision")
    for name, frame in _of_both_classes(curves).items():
        target, probability = frame["target"], frame["probability"]
        precision, recall, _ = sk.precision_recall_curve(target, probability)
        label = f"{name}  AP {sk.average_precision_score(target, probability):.3f}"
        _curve(axes, name, recall, precision, label, drawstyle="steps-post")
        if name != "metadata only":
            axes.axhline(target.mean(), color=_colour(name), linewidth=0.8, linestyle=":")
            decision = probability >= threshold
            if decision.any():
                _operating_point(axes, name, (decision[target == 1].mean(), target[decision].mean()))
    return _legend(figure, axes, "lower left")


def confusion(matrix: npt.ArrayLike, class_names: Sequence[str], title: str) -> Figure:
    """Confusion matrix: counts, shaded by the share of the true class.

    Args:
      matrix: (classes, classes), images; rows are the truth, columns the decision.
      class_names: name of each class.
      title: above the matrix.
    """
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = new_figure(4.4, 3.9)
        axes = figure.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        names = [name.replace("_", " ") for name in class_names]
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names, rotation=90, va="center")
        axes.set(title=title, xlabel="decision", ylabel="truth")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else INK
            text = f"{count}\n{shares[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
    return figure


def history(epochs: pd.DataFrame, config: TrainConfig) -> Figure:
    """Loss, AUC and learning rate by epoch; the dot is the epoch whose weights were kept.

    Dotted lines part stages of different image size; the kept epoch is one of the last stage.

    Args:
      epochs: the run's history: `epoch` and some of `loss`, `val_loss`, `auc`, `val_auc`,
        `learning_rate`, `image_size`.
      config: which epoch was kept.
    """
    panels = {
        "Loss": {"loss": "train", "val_loss": "validation"},
        "AUC": {"auc": "train", "val_auc": "validation"},
        "Learning rate": {"learning_rate": "train"},
    }
    with mpl.rc_context(STYLE):
        figure = new_figure(9.6, 2.9)
        number = epochs["epoch"].to_numpy() + 1
        for axes, (title, columns) in zip(figure.subplots(1, 3), panels.items(), strict=True):
            drawn = {column: part for column, part in columns.items() if column in epochs}
            for column, part in drawn.items():
                values = epochs[column].to_numpy(float)
                colour = QUIET if title == "Learning rate" else _colour(part)
                axes.plot(
                    number, values, color=colour, label=part, marker="o" if len(number) < 3 else None, markersize=4
                )
            axes.set(title=title, xlabel="epoch")
            axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
            if title == "Learning rate":
                axes.set_ylim(0, None)
                axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda rate, _: f"{rate:g}"))
            elif drawn:
                axes.legend()
            if "val_auc" in drawn and len(epochs):
                kept = _kept_epoch(epochs, config)
                _operating_point(axes, "validation", (number[kept], epochs["val_auc"].iloc[kept]))
            _mark_stages(axes, epochs, number)
    return figure


def _kept_epoch(epochs: pd.DataFrame, config: TrainConfig) -> int:
    sizes = epochs["image_size"] if "image_size" in epochs else pd.Series(0, index=epochs.index)
    last_stage = np.flatnonzero(sizes == sizes.iloc[-1])
    return int(last_stage[config.kept_epoch(epochs["val_auc"].iloc[last_stage].tolist())])


def _mark_stages(axes: Axes, epochs: pd.DataFrame, number: npt.NDArray) -> None:
    if "image_size" in epochs:
        for start in np.flatnonzero(np.diff(epochs["image_size"])) + 1:
            axes.axvline(number[start] - 0.5, color=QUIET, linewidth=0.8, linestyle=":")


def _of_both_classes(curves: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: frame for name, frame in curves.items() if frame["target"].nunique() == 2}


def _colour(name: str) -> str:
    return COLOURS.get(name, INK)


def _curve(axes: Axes, name: str, x: npt.NDArray, y: npt.NDArray, label: str, **style: Any) -> None:
    line = "--" if name == "metadata only" else "-"
    axes.plot(x, y, color=_colour(name), linestyle=line, label=label, **style)


def _operating_point(axes: Axes, name: str, point: tuple[float, float]) -> None:
    axes.plot(*point, "o", color=_colour(name), markersize=7, markeredgecolor="white", markeredgewidth=1.2, zorder=5)


def _square(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):
        figure = new_figure(4.4, 4.4)
        axes = figure.add_subplot()
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_aspect("equal")
    return figure, axes


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with the notice, of `width` and `height` inches; draw in it under `STYLE`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.supxlabel(RESEARCH_USE, fontsize=7, color=QUIET, x=0.99, ha="right")
    return figure


def _legend(figure: Figure, axes: Axes, place: Literal["lower left", "lower right"]) -> Figure:
    with mpl.rc_context(STYLE):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc=place)
        else:
            axes.text(0.5, 0.5, "undefined: one class only", ha="center", color=QUIET)
    return figure
