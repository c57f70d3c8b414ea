"""How several runs learnt, in one figure."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib import ticker
from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from ctcov_tf.evaluation.figures import PALETTE, STYLE, new_figure

PANELS = {"loss": "Training loss", "val_auc": "Validation AUC"}


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Training loss and validation AUC of each run by epoch; a square is the first epoch at another image size.

    Args:
      histories: each run's history by its name: `epoch` and some of `loss`, `val_auc`, `image_size`.
    """
    with mpl.rc_context(STYLE):
        figure = new_figure(9.6, 3.2)
        for axes, (column, title) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
            for number, (name, history) in enumerate(histories.items()):
                if column not in history:
                    continue
                starts = np.flatnonzero(np.diff(history.get("image_size", history["epoch"] * 0))) + 1
                axes.plot(
                    history["epoch"] + 1,
                    history[column],
                    color=PALETTE[number % len(PALETTE)],
                    linestyle="-" if number < len(PALETTE) else "--",
                    linewidth=1.4,
                    marker="s",
                    markersize=4,
                    markevery=starts.tolist(),
                    label=_label(name, history),
                )
            axes.set(title=title, xlabel="epoch")
            axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        axes.legend(fontsize=7, loc="lower right")
    return figure


def _label(name: str, history: pd.DataFrame) -> str:
    if "image_size" not in history:
        return name
    return f"{name}: {', '.join(f'{size:g}' for size in history['image_size'].drop_duplicates())} px"
