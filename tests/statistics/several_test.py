from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from ctcov_tf.statistics import several


def test_a_worked_example():
    """0.01 x 4, 0.02 x 3 (at least the one before), 0.03 x 2, 0.04 x 1 (at least the one before)."""
    assert several.holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12))
def test_equals_statsmodels(thousandths):
    p_values = np.array(thousandths) / 1000
    found = several.holm(p_values)
    assert found == pytest.approx(multipletests(p_values, method="holm")[1])
    assert np.all((p_values - 1e-12 <= found) & (found <= 1))


def test_one_test_or_none_is_left_as_it_is():
    assert several.holm([0.2]) == pytest.approx([0.2])
    assert len(several.holm([])) == 0
