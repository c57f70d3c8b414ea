import copy

import pytest

from ctcov_tf.reproduce import table

AUC = {"value": 0.7, "low": 0.6, "high": 0.8, "sd": 0.02}


@pytest.fixture
def content():
    metrics = dict.fromkeys(("precision", "recall", "f1", "auc", "accuracy"), AUC)
    found = {"metrics": metrics, "seeds": 2, "auc_difference": None, "tests": None}
    row = {"name": "a", "title": "ours", "found": found, "seconds": 60.0, "paper": {"auc": 0.9}}
    row["comparability"] = {"verdict": "not comparable", "reasons": ["other images", "random weights"]}
    failed = {"name": "b", "title": "other", "found": None, "seconds": None, "paper": None}
    failed["comparability"] = {"verdict": "not in this table of the paper", "reasons": []}
    return {"rows": [row, failed], "synthetic": False, "failed": {"b_seed0": "diverged"}, "metadata_only": None}


def test_every_row_fills_every_column(content):
    content["metadata_only"] = dict.fromkeys(("precision", "recall", "f1", "auc", "accuracy"), AUC)
    heading, ours, failed, alone = table.results(content)
    assert len(ours) == len(failed) == len(alone) == len(heading)
    assert failed[-1] == "failed"
    assert "±" not in " ".join(alone)


def test_the_three_columns_have_the_metrics_that_the_paper_gives(content):
    _, ours, failed = table.beside_the_paper(content)
    assert ours == [
        "ours",
        "AUC 0.900",
        "AUC 0.700 ± 0.020 [0.600, 0.800]",
        "not comparable; other images; random weights",
    ]
    assert failed == ["other", "–", "failed", "not in this table of the paper"]


@pytest.mark.parametrize(
    ("alone", "told"), [((0.95, 0.9), True), ((0.75, 0.45), False), ((0.65, 0.6), False), ((None, None), False)]
)
def test_files_that_tell_the_class_are_told_of(content, alone, told):
    value, low = alone
    content["metadata_only"] = {"auc": {"value": value, "low": low, "high": 1.0}}
    remarks = " ".join(table._remarks(copy.deepcopy(content)))
    assert ("no score shows that disease is being read" in remarks) is told
    assert "b_seed0 failed: diverged" in remarks
