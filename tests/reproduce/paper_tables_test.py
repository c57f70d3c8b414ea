import pytest

from ctcov_tf.models.baselines.methods import METHODS
from ctcov_tf.reproduce.paper_tables import METRICS, TABLES


def test_every_compared_method_of_the_paper_stands_in_a_table():
    compared = {preset for table in TABLES.values() for preset in table.methods}
    assert compared == set(METHODS)


@pytest.mark.parametrize("name", TABLES)
def test_figures_are_shares_of_known_metrics(name):
    for row in TABLES[name].rows:
        assert set(row.figures) <= set(METRICS)
        assert all(0.7 < value < 1 for value in row.figures.values())


@pytest.mark.parametrize("name", ["table3", "table5", "table6"])
def test_f_is_what_precision_and_recall_give_or_the_row_says_so(name):
    for row in TABLES[name].rows:
        precision, recall, f1 = (row.figures[metric] for metric in ("precision", "recall", "f1"))
        agrees = f1 == pytest.approx(2 * precision * recall / (precision + recall), abs=1.5e-3)
        assert agrees or "give F" in (row.note or ""), row


def test_a_figure_that_the_paper_does_not_give_is_not_there():
    assert "auc" not in TABLES["table5"].row("light_cnn").figures
    assert set(TABLES["table4"].row("resnet50").figures) == {"f1", "auc", "accuracy"}


def test_every_preset_of_the_papers_own_network_has_its_row():
    table = TABLES["table5"]
    assert table.row("deep_ct_net") is table.row("deep_ct_net_slim") is table.rows[-1]
    assert table.row("small_cnn") is None
    assert "deep_ct_net_slim" not in table.methods
