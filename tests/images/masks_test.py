from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from ctcov_tf.images import masks

sides = st.integers(3, 90)


@pytest.mark.parametrize(("mask", "share"), [(masks.border_only, 1 / 16), (masks.centre_masked, 1 / 8)])
@given(sides, sides)
def test_a_rim_is_kept_and_the_rest_is_black(mask, share, height, width):
    image = np.random.default_rng(0).integers(1, 256, (height, width), dtype=np.uint8)
    before = image.copy()
    masked = mask(image)
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    assert not masked[rows:-rows, columns:-columns].any()
    kept = np.ones(image.shape, bool)
    kept[rows:-rows, columns:-columns] = False
    np.testing.assert_array_equal(masked[kept], image[kept])
    np.testing.assert_array_equal(image, before)


def test_what_is_hidden_leaves_no_trace():
    image = np.random.default_rng(0).integers(0, 256, (64, 48), dtype=np.uint8)
    for mask in (masks.border_only, masks.centre_masked):
        other = image.copy()
        other[10:-10, 10:-10] = 255 - other[10:-10, 10:-10]
        np.testing.assert_array_equal(mask(image), mask(other))


def test_areas():
    image = np.ones((512, 512), np.uint8)
    assert masks.border_only(image).mean() == pytest.approx(1 - (7 / 8) ** 2)
    assert masks.centre_masked(image).mean() == pytest.approx(1 - (3 / 4) ** 2)
