"""The table of `docs/baselines.md` says what the code says."""

import pathlib

import pytest

from ctcov_tf import configs
from ctcov_tf.models.baselines import methods

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "baselines.md"


@pytest.fixture(scope="module")
def documented():
    """Cells of the table's rows by preset."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.count("|") == 8]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    return {row[1].strip("`"): row for row in rows}


def test_every_method_stands_in_the_table(documented):
    assert list(documented) == list(methods.METHODS)


@pytest.mark.parametrize("name", methods.METHODS)
def test_a_row_is_that_of_the_method(documented, name):
    method, row = methods.METHODS[name], documented[name]
    assert row[0] == f"{method.title} ({method.reference})"
    assert row[3] == (method.approximation or "")
    assert row[4] == str(configs.load(name).preprocess.image_size)


def test_those_on_bags_have_slices_in_their_presets():
    assert tuple(name for name in methods.METHODS if configs.load(name).model.slices > 1) == methods.ON_BAGS
