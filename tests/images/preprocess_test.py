"""The pre-processing of training beside that of exported models, and beside OpenCV."""

import itertools

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from ctcov_tf.config import PreprocessConfig
from ctcov_tf.images import decode
from ctcov_tf.images.preprocess import grey_levels, preprocess, preprocess_all
from ctcov_tf.images.resize import resize
from ctcov_tf.preprocessing.preprocess import Preprocess

SIZES = (64, 96, 128, 160, 224, 256)
SWITCHES = tuple(itertools.product([False, True], repeat=2))
SHAPES = ((1, 1), (1, 2), (2, 2), (3, 1000), (1300, 2), (33, 9), (64, 64), (512, 512), (512, 433), (1225, 1225))


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


CONTENTS = {
    "noise": noise,
    "two_levels": lambda shape, seed=0: noise(shape, seed) // 128 * 255,
    "constant": lambda shape, seed=0: np.full(shape, 7 * seed % 256, np.uint8),
    "smooth": lambda shape, seed=0: cv2.GaussianBlur(noise(shape, seed), (0, 0), 3) // 2 + 30,
    "one_pixel_differs": lambda shape, seed=0: np.where(np.arange(shape[0] * shape[1]).reshape(shape), 9, 200).astype(
        np.uint8
    ),
}


def preprocessed(image, config):
    result = np.full((config.image_size, config.image_size, 3), np.nan, np.float32)
    preprocess(image, config, result)
    return result


def graph_levels(image, config):
    """Grey levels that the layer has before it standardises: whole numbers, as float64."""
    layer = Preprocess(config.image_size, equalise=config.equalise, blur=config.blur, standardise=False)
    levels = 255.0 * layer(image[np.newaxis, ..., np.newaxis]).numpy()[0].astype(np.float64)
    assert np.abs(levels - np.rint(levels)).max() < 1e-4
    return np.rint(levels[..., 0])


def assert_same_levels(image, config):
    levels = grey_levels(image, config)
    assert levels.dtype == np.uint8
    np.testing.assert_array_equal(levels, graph_levels(image, config))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("equalise", "blur"), SWITCHES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_grey_levels_equal_the_graph(shape, equalise, blur, size):
    for content in CONTENTS.values():
        assert_same_levels(content(shape, 5), PreprocessConfig(size, equalise, blur))


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(*[st.one_of(st.integers(1, 40), st.integers(1, 700))] * 2),
    st.sampled_from(list(CONTENTS)),
    st.integers(0, 1000),
    st.sampled_from(SWITCHES),
    st.one_of(st.sampled_from(SIZES), st.integers(2, 300)),
)
def test_grey_levels_equal_the_graph_on_any_image(shape, content, seed, switches, size):
    assert_same_levels(CONTENTS[content](shape, seed), PreprocessConfig(size, *switches))


def test_grey_levels_equal_the_graph_on_real_images(real_data):
    for path in sorted((real_data / "covid_ct" / "Images").rglob("*.*"))[::25]:
        assert_same_levels(decode.to_grey(decode.read_rgb(path)), PreprocessConfig())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("content", CONTENTS)
def test_values_equal_the_graph_to_the_last_digits(content, size):
    """Whole levels are the same; mean and deviation are summed in another order."""
    image = CONTENTS[content]((411, 300), 5)
    expected = Preprocess(size)(image[np.newaxis, ..., np.newaxis]).numpy()[0]
    np.testing.assert_allclose(
        preprocessed(image, PreprocessConfig(size)), expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("shape", [(40, 30), (512, 512)])
def test_each_step_is_opencv_s(shape):
    image = CONTENTS["smooth"](shape)
    expected = cv2.GaussianBlur(resize(cv2.equalizeHist(image), 64), (3, 3), 0)
    np.testing.assert_array_equal(grey_levels(image, PreprocessConfig(64)), expected)
    np.testing.assert_array_equal(
        grey_levels(image, PreprocessConfig(64, equalise=False, blur=False)), resize(image, 64)
    )


def test_values_are_standardised_or_between_zero_and_one():
    image = CONTENTS["smooth"]((90, 80))
    standardised = preprocessed(image, PreprocessConfig(64))
    assert abs(standardised.mean()) < 1e-5
    assert abs(standardised.std() - 1) < 1e-5
    scaled = preprocessed(image, PreprocessConfig(64, standardise=False))
    np.testing.assert_array_equal(scaled[..., 0], grey_levels(image, PreprocessConfig(64)) / np.float32(255))
    for values in (standardised, scaled):
        np.testing.assert_array_equal(values, np.repeat(values[..., :1], 3, axis=-1))


@pytest.mark.parametrize("level", [0, 101, 255])
def test_a_constant_image_becomes_zeros(level):
    np.testing.assert_array_equal(preprocessed(np.full((40, 30), level, np.uint8), PreprocessConfig(64)), 0)


def test_the_image_is_left_as_it_is():
    image = CONTENTS["smooth"]((64, 64))
    before = image.copy()
    for equalise, blur in SWITCHES:
        preprocessed(image, PreprocessConfig(64, equalise, blur))
    np.testing.assert_array_equal(image, before)


def test_images_of_any_sizes_are_each_made_as_alone():
    images = [CONTENTS["smooth"](size) for size in ((90, 80), (33, 64))]
    together = preprocess_all(images, PreprocessConfig(64))
    np.testing.assert_array_equal(together, [preprocessed(image, PreprocessConfig(64)) for image in images])
    assert preprocess_all([], PreprocessConfig(64)).shape == (0, 64, 64, 3)
