"""Every step, and all of them together, beside OpenCV."""

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest

from ctcov_tf import config
from ctcov_tf.images import decode
from ctcov_tf.images import resize as reference_resize
from ctcov_tf.preprocessing.blur import blur
from ctcov_tf.preprocessing.equalise import equalise
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.preprocessing.resize import resize

SIZE = 32


def images(smallest=1):
    """uint8 (h, w), odd and even sizes, single rows and pixels, few levels and many."""
    sizes = st.tuples(st.integers(smallest, 70), st.integers(smallest, 70))
    return sizes.flatmap(lambda shape: arrays.arrays(np.uint8, shape))


def smooth(height, width, seed=0):
    """A dim image with few levels in use, as a badly windowed scan is."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3) // 2 + 30


CASES = {
    "random": np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8),
    "smooth_odd": smooth(101, 77),
    "smooth_large": smooth(512, 433),
    "black": np.zeros((20, 30), np.uint8),
    "white": np.full((20, 30), 255, np.uint8),
    "constant": np.full((33, 9), 101, np.uint8),
    "one_pixel_differs": np.pad(np.array([[9]], np.uint8), 12),
    "two_levels": np.tile(np.array([[3, 250]], np.uint8), (31, 20)),
    "pixel": np.array([[42]], np.uint8),
    "row": smooth(1, 57),
    "column": smooth(57, 1),
    "two_pixels": np.array([[10, 200]], np.uint8),
}


def batch(image):
    return image[np.newaxis, ..., np.newaxis]


def reference(image, size=SIZE):
    resized = reference_resize.resize(cv2.equalizeHist(image), size)
    return cv2.GaussianBlur(resized, (3, 3), 0).astype(np.float64)


def assert_equalised(image):
    np.testing.assert_array_equal(equalise(batch(image))[0, ..., 0], cv2.equalizeHist(image))


def assert_blurred(image):
    blurred = blur(batch(image).astype(np.float32))[0, ..., 0]
    np.testing.assert_array_equal(blurred, cv2.GaussianBlur(image, (3, 3), 0))


def assert_resized(image, size=SIZE):
    resized = resize(batch(image).astype(np.float32), size)[0, ..., 0].numpy()
    np.testing.assert_array_equal(resized, reference_resize.resize(image, size))


def assert_preprocessed(image, size=SIZE):
    """OpenCV's grey levels, standardised by their mean and deviation."""
    levels = Preprocess(size, standardise=False)(batch(image)).numpy()[0] * 255
    assert np.abs(levels - reference(image, size)[..., np.newaxis]).max() <= 1e-4
    result = Preprocess(size)(batch(image)).numpy()[0]
    expected = (levels - levels.mean()) / max(levels.std(), 1 / size)
    np.testing.assert_allclose(result, expected, atol=2e-4)


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    image = CASES[name]
    assert_equalised(image)
    assert_resized(image)
    assert_preprocessed(image)
    if min(image.shape) > 1:
        assert_blurred(image)


@settings(max_examples=60, deadline=None)
@given(images())
def test_equalisation_on_any_image(image):
    assert_equalised(image)


@settings(max_examples=40, deadline=None)
@given(images(smallest=2))
def test_blur_on_any_image(image):
    assert_blurred(image)


@settings(max_examples=40, deadline=None)
@given(images(), st.integers(2, 64))
def test_resize_on_any_image(image, size):
    assert_resized(image, size)


@settings(max_examples=30, deadline=None)
@given(images())
def test_whole_pipeline_on_any_image(image):
    assert_preprocessed(image)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, (3, 17, 12)))
def test_images_of_a_batch_do_not_mix(stack):
    together = equalise(stack[..., np.newaxis]).numpy()
    for image, equalised in zip(stack, together, strict=True):
        np.testing.assert_array_equal(equalised[..., 0], cv2.equalizeHist(image))


@settings(max_examples=30, deadline=None)
@given(images())
def test_equalised_levels_keep_their_order(image):
    equalised = equalise(batch(image)).numpy()[0, ..., 0]
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(equalised.ravel()[order]) >= 0).all()


def test_16_bit_images():
    wide = (smooth(90, 80).astype(np.uint16) << 8) + np.arange(80, dtype=np.uint16)
    encoded = cv2.imencode(".png", wide)[1].tobytes()
    grey = decode.to_grey(decode.decode_rgb(encoded, "image"))
    np.testing.assert_array_equal(grey, wide >> 8)
    assert_preprocessed(grey)


def test_real_images(real_data):
    files = sorted((real_data / "covid_ct" / "Images").rglob("*.*"))[::50]
    for path in files:
        image = decode.to_grey(decode.read_rgb(path))
        assert_equalised(image)
        assert_blurred(image)
        assert_resized(image, config.IMAGE_SIZE)
        assert_preprocessed(image, config.IMAGE_SIZE)
