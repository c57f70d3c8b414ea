import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest

from ctcov_tf import config
from ctcov_tf.images import decode
from ctcov_tf.images.resize import WEIGHT_LEVELS, resize

SIZES = (2, 64, 96, 128, 160, 224, 256)


def in_whole_numbers(image, size):
    """The rule written out: nearest whole weights, halves up, one rounding at the end."""

    def along_rows(values):
        length = len(values)
        numerator = np.maximum((2 * np.arange(size) + 1) * length - size, 0)
        near, rest = np.divmod(numerator, 2 * size)
        weight = ((rest * WEIGHT_LEVELS + size) // (2 * size))[:, np.newaxis]
        far = np.minimum(near + 1, length - 1)
        return values[near] * (WEIGHT_LEVELS - weight) + values[far] * weight

    sums = along_rows(along_rows(image.astype(np.int64)).T).T
    return (sums + WEIGHT_LEVELS**2 // 2) // WEIGHT_LEVELS**2


def images(largest=1300):
    """uint8 (h, w), noise of two levels or all: the hardest for an interpolation."""
    sides = st.one_of(st.integers(1, 40), st.integers(1, largest))

    def noise(height, width, seed, two_levels):
        rng = np.random.default_rng(seed)
        low = rng.integers(0, 2, (height, width), np.uint8) * 255
        return low if two_levels else rng.integers(0, 256, (height, width), np.uint8)

    return st.builds(noise, sides, sides, st.integers(0, 99), st.booleans())


@settings(max_examples=200, deadline=None)
@given(images(), st.sampled_from(SIZES))
def test_equals_the_rule_in_whole_numbers(image, size):
    resized = resize(image, size)
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, in_whole_numbers(image, size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("length", [1, 2, 3, 255, 433, 511, 513, 1225, 4000])
def test_equals_the_rule_where_weights_fall_halfway(length, size):
    image = np.random.default_rng(length).integers(0, 256, (length, 7), np.uint8)
    np.testing.assert_array_equal(resize(image, size), in_whole_numbers(image, size))
    np.testing.assert_array_equal(resize(image.T, size), in_whole_numbers(image.T, size))


@pytest.mark.parametrize("size", SIZES)
def test_half_and_whole_size_equal_opencv(size):
    rng = np.random.default_rng(size)
    for side in (size, 2 * size):
        image = rng.integers(0, 256, (side, side), np.uint8)
        expected = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(resize(image, size), expected)
        np.testing.assert_array_equal(in_whole_numbers(image, size), expected)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70))), st.integers(2, 300))
def test_is_near_opencv_on_any_image(image, size):
    """Within one level of the exact interpolation by 8-bit weights, so of OpenCV's two within two."""
    for interpolation in (cv2.INTER_LINEAR, cv2.INTER_LINEAR_EXACT):
        expected = cv2.resize(image, (size, size), interpolation=interpolation)
        assert np.abs(resize(image, size).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("shape", [(512, 512), (512, 433), (101, 77), (1225, 967), (160, 224)])
def test_is_within_one_level_of_opencv_on_smooth_images(shape, size):
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    image = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1), None, 0, 255, cv2.NORM_MINMAX)
    assert np.abs(resize(image, size).astype(int) - cv2.resize(image, (size, size))).max() <= 1


def test_is_within_one_level_of_opencv_on_real_images(real_data):
    for path in sorted((real_data / "covid_ct" / "Images").rglob("*.*"))[::20]:
        image = cv2.equalizeHist(decode.to_grey(decode.read_rgb(path)))
        size = config.IMAGE_SIZE
        assert np.abs(resize(image, size).astype(int) - cv2.resize(image, (size, size))).max() <= 1, path.name
