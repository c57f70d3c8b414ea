import pytest

from ctcov_tf.evaluation import tables


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.4, "0 s"), (119, "119 s"), (120, "2.0 min"), (7199, "120.0 min"), (7200, "2.0 h")],
)
def test_times_have_the_unit_that_a_reader_would_choose(seconds, text):
    assert tables.duration(seconds) == text


def test_a_p_value_is_the_corrected_one():
    tests = {"delong": {"p_value": 0.01, "p_value_holm": 0.02}, "mcnemar": {"p_value": 1e-6, "p_value_holm": 2e-6}}
    assert tables.p_value(tests, "delong") == "0.020"
    assert tables.p_value(tests, "mcnemar") == "< 0.001"
    assert tables.p_value(None, "delong") == tables.DASH
    assert tables.p_value({"delong": None}, "delong") == "undefined"
    assert tables.p_value({"delong": {"p_value": None, "p_value_holm": None}}, "delong") == "undefined"


def test_a_mean_has_its_deviation_before_its_interval():
    auc = {"value": 0.7, "low": 0.6, "high": 0.8, "sd": 0.02}
    assert tables.mean(auc) == "0.700 ± 0.020 [0.600, 0.800]"
    assert tables.mean(auc | {"sd": None}) == "0.700 [0.600, 0.800]"
    assert tables.mean(auc | {"low": None, "high": None}) == "0.700 ± 0.020"
    assert tables.mean({"value": None, "low": None, "high": None, "sd": None}) == "undefined"
