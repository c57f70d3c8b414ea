import numpy as np
import pytest

from ctcov_tf.evaluation import pointing_game


def heatmap(row, column, side=8):
    values = np.full((side, side), 0.1)
    values[row, column] = 1
    return values


def mask(rows, columns, side=256):
    values = np.zeros((side, side), bool)
    values[rows, columns] = True
    return values


def test_counts_hits():
    lesion = mask(slice(64, 128), slice(64, 128))  # cells 2 and 3 of 8
    found = pointing_game.score([heatmap(2, 3), heatmap(5, 5)], [lesion, lesion], ["a", "b"])
    assert (found["images"], found["hits"], found["share"], found["empty_heatmaps"]) == (2, 1, 0.5, 0)
    assert (found["low"], found["high"]) == (0, 1)


@pytest.mark.parametrize(("gap", "hit"), [(15, 1), (17, 0)])
def test_tolerance_is_15_of_256_pixels(gap, hit):
    # the centre of cell (0, 0) is pixel 16; the lesion begins `gap` to the right of it
    found = pointing_game.score([heatmap(0, 0)], [mask(slice(0, 40), slice(16 + gap, 80))], ["a"])
    assert (found["hits"], found["tolerance_pixels"]) == (hit, 15)
    assert pointing_game.score([heatmap(0, 0, 4)], [mask(0, 0, 64)], ["a"])["tolerance_pixels"] == 4


def test_chance_is_what_random_points_get():
    generator = np.random.default_rng(0)
    lesion = mask(slice(5, 22), slice(25, 40), 64)
    maps = [heatmap(*generator.integers(0, 64, 2), side=64) for _ in range(3000)]
    found = pointing_game.score(maps, [lesion] * 3000, [str(index) for index in range(3000)])
    assert found["low"] <= found["chance"] <= found["high"]
    assert found["high"] - found["low"] < 0.04


def test_an_empty_heat_map_is_a_miss():
    found = pointing_game.score([np.zeros((8, 8))], [np.ones((64, 64), bool)], ["a"])
    assert (found["hits"], found["empty_heatmaps"], found["low"]) == (0, 1, None)


def test_no_images():
    found = pointing_game.score([], [], [])
    assert (found["images"], found["share"], found["chance"]) == (0, None, None)
