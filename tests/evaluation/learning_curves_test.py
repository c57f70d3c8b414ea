import pandas as pd

from ctcov_tf import RESEARCH_USE
from ctcov_tf.evaluation.figures import PALETTE
from ctcov_tf.evaluation.learning_curves import learning_curves

STAGED = pd.DataFrame(
    {"epoch": [0, 1, 2], "loss": [0.9, 0.5, 0.4], "val_auc": [0.6, 0.8, 0.7], "image_size": [64, 96.0, 96]}
)
PLAIN = pd.DataFrame({"epoch": [0, 1], "loss": [0.7, 0.6]})


def test_each_run_is_a_line_with_a_mark_where_the_image_size_changes():
    figure = learning_curves({"staged": STAGED, "plain": PLAIN})
    loss, auc = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[0.9, 0.5, 0.4], [0.7, 0.6]]
    assert [line.get_ydata().tolist() for line in auc.lines] == [[0.6, 0.8, 0.7]]
    assert [line.get_markevery() for line in loss.lines] == [[1], []]
    assert [text.get_text() for text in auc.get_legend().get_texts()] == ["staged: 64, 96 px"]
    assert RESEARCH_USE in {text.get_text() for text in figure.texts}


def test_more_runs_than_colours_are_told_apart_by_dashes():
    lines = learning_curves({str(number): STAGED for number in range(len(PALETTE) + 1)}).axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(PALETTE) + 1
