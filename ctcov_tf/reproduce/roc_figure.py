"""ROC curves of all methods of a table in one figure, as the paper's Fig. 5 and Fig. 8."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure
import numpy as np
from sklearn import metrics as sk

from ctcov_tf.evaluation import figures
from ctcov_tf.evaluation.across_seeds import Scores

_LINES = ("-", "--", ":")


def draw(curves: Mapping[str, Scores], title: str) -> Figure:
    """Draws the curve of each method by the mean of its seeds' probabilities; the dot is its decision.

    Args:
      curves: by the method's title, ours first.
      title: above the figure.
    """
    with mpl.rc_context(figures.STYLE):
        figure = figures.new_figure(7.6, 4.6)
        axes = figure.add_subplot()
        axes.set(title=title, xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_aspect("equal")
        axes.plot([0, 1], [0, 1], color=figures.QUIET, linewidth=0.8, linestyle=":")
        for index, (name, scores) in enumerate(curves.items()):
            truth = np.asarray(scores.target, bool)
            if truth.all() or not truth.any():
                continue
            false_rate, true_rate, _ = sk.roc_curve(truth, scores.mean, drop_intermediate=False)
            colour = figures.PALETTE[index % len(figures.PALETTE)]
            axes.plot(
                false_rate,
                true_rate,
                color=colour,
                linestyle=_LINES[index // len(figures.PALETTE) % len(_LINES)],
                linewidth=2.4 if index == 0 else 1.5,
                zorder=3 if index == 0 else 2,
                label=f"{name}  {sk.roc_auc_score(truth, scores.mean):.3f}",
            )
            positive = scores.mean >= scores.mean_threshold
            axes.plot(positive[~truth].mean(), positive[truth].mean(), "o", color=colour, markersize=6, zorder=5)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(title="AUC of the mean over seeds", loc="outside right center", fontsize=8)
        else:
            axes.text(0.5, 0.5, "undefined: one class only", ha="center", color=figures.QUIET)
    return figure
