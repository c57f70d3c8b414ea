import gc

import matplotlib as mpl
from matplotlib import pyplot
import numpy as np
import pandas as pd
from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE
from ctcov_tf.config import TrainConfig
from ctcov_tf.evaluation import figures


def predictions(seed, images=80):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, images)
    probability = np.clip(generator.normal(0.4 + 0.2 * target, 0.2), 0, 1)
    return pd.DataFrame({"target": target, "probability": probability, "group_id": np.arange(images).astype(str)})


@pytest.fixture
def curves():
    return {"validation": predictions(0), "test": predictions(1), "metadata only": predictions(2)}


def texts(figure):
    return {text.get_text() for text in figure.findobj(mpl.text.Text)}


def drawings(curves, checkpoint="best"):
    epochs = pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "loss": [3, 2, 1],
            "val_auc": [0.9, 0.75, 0.7],
            "learning_rate": 1e-4,
            "image_size": [64, 96, 96],
        }
    )
    return [
        figures.roc(curves, 0.5, "test"),
        figures.precision_recall(curves, 0.5),
        figures.confusion([[3, 1], [2, 4]], ["covid19", "normal"], "Confusion, test"),
        figures.history(epochs, TrainConfig(checkpoint=checkpoint)),
    ]


def test_every_figure_bears_the_notice_and_is_written(curves, tmp_path):
    for number, figure in enumerate(drawings(curves)):
        assert RESEARCH_USE in texts(figure)
        figures.save(figure, tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as image:
            assert image.format == "PNG"
            assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_no_state_is_left(curves):
    before = dict(mpl.rcParams)
    drawings(curves)
    gc.collect()
    assert dict(mpl.rcParams) == before
    assert not pyplot.get_fignums()


def test_roc_draws_the_operating_point(curves):
    figure = figures.roc({"test": curves["test"]}, 0.5)
    frame = curves["test"]
    decision = frame["probability"] >= 0.5
    point = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(point) == 1
    assert point[0].get_xdata()[0] == pytest.approx(decision[frame["target"] == 0].mean())
    assert point[0].get_ydata()[0] == pytest.approx(decision[frame["target"] == 1].mean())


def test_confusion_shows_counts_and_shares_of_the_truth():
    assert {"3\n75%", "1\n25%", "2\n33%", "4\n67%"} <= texts(figures.confusion([[3, 1], [2, 4]], ["a", "b"], "t"))


@pytest.mark.parametrize(("checkpoint", "kept"), [("best", (2, 0.75)), ("last", (3, 0.7))])
def test_history_marks_the_kept_epoch_of_the_last_stage(curves, checkpoint, kept):
    auc = drawings(curves, checkpoint)[-1].axes[1]
    dots = [line for line in auc.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    assert [(float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in dots] == [kept]


@pytest.mark.parametrize("frame", [predictions(0).assign(target=1), predictions(0).head(0)], ids=["one class", "empty"])
def test_undefined_curves_say_so(frame):
    for figure in (figures.roc({"test": frame}, 0.5, "test"), figures.precision_recall({"test": frame}, 0.5)):
        assert "undefined: one class only" in texts(figure)
