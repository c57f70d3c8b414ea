import pytest

from ctcov_tf.card import words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456, "0.1235"),
        (3, "3"),
        (True, "yes"),
        (None, "none"),
        ([], "none"),
        ([1, 2.5], "1, 2.5"),
        (list(range(30)), "30 entries, see the file"),
        ({"value": 0.5, "low": 0.25, "high": 0.75}, "0.500 [0.250, 0.750]"),
        ({"value": None, "low": None, "high": None}, "undefined"),
    ],
)
def test_one_value(value, expected):
    assert words.text(value) == expected


def test_nested_facts_become_rows():
    facts = {
        "gate": {"rule": "0.95 quantile", "auc": {"value": 0.9, "low": 0.8, "high": 1}},
        "points": [{"name": "youden", "threshold": 0.5}, {"name": "sensitive", "threshold": 0.25}],
        "empty": {},
        "bins": [{"count": number} for number in range(20)],
        "curve": {"value": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.2, 0.3]},
    }
    assert words.rows(facts) == [
        ["gate / rule", "0.95 quantile"],
        ["gate / auc", "0.900 [0.800, 1.000]"],
        ["points / youden / threshold", "0.5"],
        ["points / sensitive / threshold", "0.25"],
        ["empty", "none"],
        ["bins", "20 entries, see the file"],
        ["curve / value", "0.1, 0.2"],
        ["curve / low", "0, 0.1"],
        ["curve / high", "0.2, 0.3"],
    ]
