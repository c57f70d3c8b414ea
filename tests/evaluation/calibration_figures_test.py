import matplotlib as mpl
from matplotlib.collections import FillBetweenPolyCollection
import numpy as np
from PIL import Image
import pytest

from ctcov_tf import RESEARCH_USE
from ctcov_tf.evaluation import calibration, calibration_figures, figures
from tests.calibrated_images import NEW, OLD, draw

DRAWN = (calibration_figures.reliability, calibration_figures.decision_curve, calibration_figures.predictive_values)


@pytest.fixture(scope="module")
def worth():
    return calibration.summarise(draw(), NEW)


def texts(figure):
    return {text.get_text() for text in figure.findobj(mpl.text.Text)}


@pytest.mark.parametrize("drawn", DRAWN)
@pytest.mark.parametrize("little", [None, "one class", "one group"])
def test_every_figure_bears_the_notice_and_is_written(worth, drawn, little, tmp_path):
    if little == "one class":
        worth = calibration.summarise(draw(30).assign(target=1), OLD)
    elif little:
        worth = calibration.summarise(draw(30).assign(group_id="a"), OLD)
    before = dict(mpl.rcParams)
    figure = drawn(worth, "test")
    assert RESEARCH_USE in texts(figure)
    assert any("test" in text for text in texts(figure))
    figures.save(figure, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert len(np.unique(np.asarray(image.convert("L")))) > 20
    assert dict(mpl.rcParams) == before


def test_reliability_draws_before_and_after(worth):
    axes, counts = calibration_figures.reliability(worth, "test").axes
    lines = {line.get_label().split("\n")[0]: line for line in axes.lines}
    bins = worth["after"]["reliability"]["equal_mass"]
    drawn = lines["after, temperature 2.00"]
    assert list(drawn.get_ydata()) == bins["positives"]
    assert "before temperature scaling" in lines
    assert sum(bar.get_height() for bar in counts.patches) == worth["images"]


def test_curves_have_bands(worth):
    (axes,) = calibration_figures.decision_curve(worth, "test").axes
    labels = {line.get_label() for line in axes.lines}
    assert {"the model", "call all positive", "call none positive"} <= labels
    assert any(isinstance(one, FillBetweenPolyCollection) for one in axes.collections)
    positive, negative = calibration_figures.predictive_values(worth, "test").axes
    for panel in (positive, negative):
        assert {line.get_label() for line in panel.lines} == {"Youden's J", "sensitivity 0.95"}
        assert len(panel.collections) == 2
