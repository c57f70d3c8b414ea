import pytest

from benchmarks import record


@pytest.mark.parametrize(
    ("value", "label"),
    [(0.012345, "0.0123"), (9.876, "9.88"), (999.4, "999"), (999.7, "1,000"), (1892.3, "1,892"), (24_000, "24,000")],
)
def test_a_bar_is_labelled_without_powers_of_ten(value, label):
    assert record.label(value) == label
