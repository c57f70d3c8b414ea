import numpy as np
import pytest

from ctcov_tf.images import overlay


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3)])
def test_heat_is_red_and_cold_is_blue(shape):
    image = np.full(shape, 100, np.uint8)
    heatmap = np.zeros((4, 4), np.float32)
    heatmap[:2] = 1
    result = overlay.overlay(image, heatmap)
    assert result.shape == (40, 30, 3)
    assert result.dtype == np.uint8
    red, _, blue = result[2, 15].astype(int)
    assert red > blue
    red, _, blue = result[37, 15].astype(int)
    assert blue > red


def test_alpha_zero_leaves_the_image():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    np.testing.assert_array_equal(overlay.overlay(image, np.ones((2, 2)), alpha=0), image)


def test_image_is_not_written_to():
    image = np.zeros((8, 8, 3), np.uint8)
    overlay.overlay(image, np.ones((2, 2)))
    assert not image.any()


def test_values_out_of_range_are_held():
    image = np.zeros((8, 8), np.uint8)
    high = overlay.overlay(image, np.full((2, 2), 7.0))
    np.testing.assert_array_equal(high, overlay.overlay(image, np.ones((2, 2))))
