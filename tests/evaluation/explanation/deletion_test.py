import hypothesis
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import numpy as np
import pytest

from ctcov_tf.evaluation.explanation import deletion

SIDE = 32
GROUPS = [str(number) for number in range(16)]


def brightness_top_left(images):
    """A model whose evidence is a bright top left quarter."""
    return 1 / (1 + np.exp(4 - 8 * images[:, :16, :16, 0].mean(axis=(1, 2))))


@pytest.fixture
def images():
    images = np.random.default_rng(0).normal(0, 0.1, (16, SIDE, SIDE, 3)).astype(np.float32)
    images[:, :16, :16] += 1
    return images


def maps(rows, columns):
    heatmaps = np.zeros((16, 4, 4), np.float32)
    heatmaps[:, rows, columns] = 1
    return heatmaps


def test_a_map_of_the_evidence_is_better_than_lot(images):
    found = deletion.check(brightness_top_left, images, maps(slice(0, 2), slice(0, 2)), GROUPS)
    assert found["deletion"]["area"]["high"] < found["deletion"]["random_area"]["low"]
    assert found["insertion"]["area"]["low"] > found["insertion"]["random_area"]["high"]
    for kind in ("deletion", "insertion"):
        assert found[kind]["difference"]["low"] > 0
        assert len(found[kind]["curve"]) == len(found["fractions"])
    start, end = found["deletion"]["curve"][0], found["deletion"]["curve"][-1]
    assert start == pytest.approx(brightness_top_left(images).mean(), abs=1e-6)
    assert end < 0.2 < start
    assert found["insertion"]["curve"][-1] == pytest.approx(start)


def test_a_map_of_another_place_is_worse_than_lot(images):
    found = deletion.check(brightness_top_left, images, maps(slice(2, 4), slice(2, 4)), GROUPS)
    assert found["deletion"]["difference"]["high"] < 0
    assert found["insertion"]["difference"]["high"] < 0


def test_a_map_by_lot_is_as_good_as_lot(images):
    heatmaps = np.random.default_rng(5).random((16, 4, 4)).astype(np.float32)
    found = deletion.check(brightness_top_left, images, heatmaps, GROUPS)
    for kind in ("deletion", "insertion"):
        assert found[kind]["difference"]["low"] < 0 < found[kind]["difference"]["high"]


@hypothesis.given(hnp.arrays(np.float32, (2, 3, 4), elements=st.floats(0, 1, width=32)))
def test_every_pixel_has_its_turn_and_higher_ones_come_first(heatmaps):
    lots = np.random.default_rng(0).random(heatmaps.shape).astype(np.float32)
    turns = deletion.removal_order(heatmaps, lots, SIDE)
    for one, heatmap in zip(turns, deletion._stretched(heatmaps, SIDE), strict=True):
        np.testing.assert_allclose(np.sort(one.ravel()), np.arange(SIDE**2) / SIDE**2, atol=1e-6)
        assert (np.diff(heatmap.ravel()[np.argsort(one.ravel())]) <= 0).all()


def test_equal_pixels_go_by_lot():
    lots = np.zeros((1, 4, 4), np.float32)
    lots[0, 3, 3] = -1
    order = deletion.removal_order(np.zeros((1, 4, 4), np.float32), lots, SIDE)
    assert order[0, -4:, -4:].max() == 15 / SIDE**2
