from hypothesis import given
from hypothesis import strategies as st
import pytest

from ctcov_tf import study
from ctcov_tf.study import StudyRule

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(PROBABILITIES, st.integers(1, 40))
def test_mean_of_the_highest(probabilities, highest):
    highest_first = sorted(probabilities, reverse=True)[:highest]
    assert study.mean_of_highest(probabilities, highest) == pytest.approx(sum(highest_first) / len(highest_first))


@given(PROBABILITIES)
def test_of_one_it_is_the_maximum(probabilities):
    assert study.mean_of_highest(probabilities, 1) == max(probabilities)


def test_a_rule_is_read_or_absent():
    content = {"highest": 2, "threshold": 0.4, "rule": "by hand", "groups": 9, "largest_group": 4}
    assert StudyRule.from_dict(content) == StudyRule(2, 0.4, "by hand", 9, 4)
    assert StudyRule.from_dict(None) is None
