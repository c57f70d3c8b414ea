from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference

from ctcov_tf.statistics import mcnemar


def decisions(both, only_first, only_second, neither):
    """Labels and decisions with these counts of right ones."""
    first_right = np.repeat([1, 1, 0, 0], [both, only_first, only_second, neither])
    second_right = np.repeat([1, 0, 1, 0], [both, only_first, only_second, neither])
    labels = np.arange(len(first_right)) % 2
    return labels, np.where(first_right, labels, 1 - labels), np.where(second_right, labels, 1 - labels)


def test_the_published_example():
    """Airway hyper-responsiveness before and after transplantation: Fagerland, Lydersen and Laake (2013), table 2."""
    found = mcnemar.compare(*decisions(1, 1, 7, 12))
    assert (found.only_first, found.only_second) == (1, 7)
    assert found.p_value == pytest.approx(0.070, abs=5e-4)
    assert found.mid_p_value == pytest.approx(0.039, abs=5e-4)


counts = st.integers(0, 30)


@given(counts, counts, counts, counts)
def test_equals_statsmodels(both, only_first, only_second, neither):
    found = mcnemar.compare(*decisions(both, only_first, only_second, neither))
    table = [[both, only_first], [only_second, neither]]
    if only_first + only_second:
        assert found.p_value == pytest.approx(reference(table, exact=True).pvalue)
    assert 0 <= found.mid_p_value <= found.p_value <= 1
    swapped = mcnemar.compare(*decisions(both, only_second, only_first, neither))
    assert (swapped.p_value, swapped.mid_p_value) == pytest.approx((found.p_value, found.mid_p_value))


def test_only_images_that_they_disagree_on_count():
    few, many = mcnemar.compare(*decisions(0, 3, 9, 0)), mcnemar.compare(*decisions(500, 3, 9, 70))
    assert few == many


@pytest.mark.parametrize("labels", [[], [0, 1, 1]])
def test_classifiers_that_agree(labels):
    assert mcnemar.compare(labels, labels, labels) == mcnemar.Comparison(0, 0, 1.0, 1.0)
