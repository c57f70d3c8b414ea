import dataclasses
import math

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest
from scipy import ndimage

from ctcov_tf.config import AugmentConfig
from ctcov_tf.images import augmentation

STILL = AugmentConfig(rotation_degrees=0.0, translation=0.0)


def smooth(height, width):
    noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def augment(image, number, settings):
    draws = np.random.default_rng([7, number]).uniform(-1, 1, augmentation.DRAWS)
    return augmentation.augment(image, draws, settings)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(lambda s: arrays.arrays(np.uint8, s)),
    st.integers(0, 2**31 - 1),
)
def test_zero_ranges_are_the_identity(image, number):
    np.testing.assert_array_equal(augment(image, number, STILL), image)


def test_flip_alone_is_the_image_or_its_mirror():
    image = smooth(20, 31)
    results = [augment(image, number, AugmentConfig(0.0, 0.0, flip=True)) for number in range(40)]
    mirrored = [np.array_equal(result, image[:, ::-1]) for result in results]
    assert all(turned or np.array_equal(result, image) for turned, result in zip(mirrored, results, strict=True))
    assert 8 < sum(mirrored) < 32


def test_the_seed_decides():
    image = smooth(40, 30)
    np.testing.assert_array_equal(augment(image, 3, AugmentConfig()), augment(image, 3, AugmentConfig()))
    assert len({augment(image, number, AugmentConfig()).tobytes() for number in range(10)}) == 10


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("degrees", "right", "down"), [(15, 0, 0), (0, 3.2, -1.5), (-11, -4, 2.75)])
def test_equals_bilinear_interpolation(mirror, degrees, right, down):
    image = smooth(61, 48)
    matrix = augmentation.rigid_transform(61, 48, angle=math.radians(degrees), right=right, down=down, mirror=mirror)
    x, y = np.einsum("ij,jyx->iyx", matrix, np.stack([*np.meshgrid(np.arange(48), np.arange(61)), np.ones((61, 48))]))
    expected = ndimage.map_coordinates(image.astype(float), [y, x], order=1, mode="grid-constant")
    difference = np.abs(augmentation.warp(image, matrix) - expected)
    assert difference.mean() < 0.5
    assert difference.max() <= 6  # some versions of OpenCV read at 1/32 of a pixel


def test_rotation_is_about_the_centre_and_by_the_angle():
    matrix = augmentation.rigid_transform(21, 21, angle=math.radians(90), right=0, down=0, mirror=False)
    image = smooth(21, 21)
    result = augmentation.warp(image, matrix)
    assert np.abs(result.astype(int) - np.rot90(image).astype(int)).max() <= 1


def test_translation_is_a_share_of_each_side():
    image = np.zeros((100, 40), np.uint8)
    image[50, 20] = 255
    for number in range(20):
        moved = augment(image, number, AugmentConfig(rotation_degrees=0.0, translation=0.05)).astype(float)
        row, column = (np.average(np.arange(side), weights=moved.sum(axis=axis)) for side, axis in ((100, 1), (40, 0)))
        assert abs(row - 50) <= 5.02
        assert abs(column - 20) <= 2.02


def test_angles_fill_the_range():
    white = np.full((64, 64), 255, np.uint8)
    black = [np.mean(augment(white, number, AugmentConfig(15.0, 0.0)) == 0) for number in range(30)]
    most = np.mean(
        augmentation.warp(
            white,
            augmentation.rigid_transform(64, 64, angle=math.radians(15), right=0, down=0, mirror=False),
        )
        == 0
    )
    assert max(black) <= most
    assert max(black) > 0.7 * most
    assert min(black) < 0.3 * most


CROPPED = AugmentConfig(rotation_degrees=0.0, translation=0.0, crop=0.5)


def test_a_crop_of_the_whole_is_the_identity():
    matrix = augmentation.crop_transform(30, 40, (1.0, 0.0, 0.3, -0.7), 0.5)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[st.floats(-1, 1, exclude_max=True)] * 4),
    st.floats(0.05, 1),
    st.integers(2, 500),
    st.integers(2, 500),
)
def test_a_crop_lies_inside_the_image_and_is_large_enough(draws, smallest, height, width):
    (x_scale, _, left), (_, y_scale, top) = augmentation.crop_transform(height, width, draws, smallest)
    assert left >= 0
    assert top >= 0
    assert x_scale * (width - 1) + left <= width - 1 + 1e-9
    assert y_scale * (height - 1) + top <= height - 1 + 1e-9
    assert x_scale * y_scale >= min(smallest, 1 / augmentation.CROP_ASPECT) - 1e-9
    assert 1 / augmentation.CROP_ASPECT - 1e-9 <= x_scale / y_scale <= augmentation.CROP_ASPECT + 1e-9


def test_a_crop_is_a_rectangle_enlarged():
    image = smooth(60, 80)
    draws = np.array([0.0, 0.0, 0.0, -1.0, -1.0, 0.0, -1.0, 1.0])  # a quarter of the area, at the lower left
    cropped = augmentation.augment(image, draws, dataclasses.replace(CROPPED, crop=0.25))
    rows, columns = np.meshgrid(np.linspace(29.5, 59, 60), np.linspace(0, 39.5, 80), indexing="ij")
    expected = ndimage.map_coordinates(image.astype(float), [rows, columns], order=1, mode="nearest")
    assert np.abs(cropped - expected).max() <= 6  # some versions of OpenCV read at 1/32 of a pixel
    assert np.abs(cropped - expected).mean() < 0.6


def test_crops_leave_nothing_black_and_differ():
    white = np.full((40, 50), 255, np.uint8)
    results = [augment(white, number, CROPPED) for number in range(10)]
    assert all(np.array_equal(one, white) for one in results)
    image = smooth(40, 50)
    assert len({augment(image, number, CROPPED).tobytes() for number in range(10)}) == 10


def test_without_a_crop_its_draws_play_no_part():
    image = smooth(40, 30)
    draws = np.random.default_rng(0).uniform(-1, 1, augmentation.DRAWS)
    others = np.concatenate([draws[: augmentation.RIGID_DRAWS], -draws[augmentation.RIGID_DRAWS :]])
    np.testing.assert_array_equal(
        augmentation.augment(image, draws, AugmentConfig(flip=True)),
        augmentation.augment(image, others, AugmentConfig(flip=True)),
    )


def test_levels_change_by_the_draws_within_their_ranges():
    image = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
    for (contrast, brightness), expected in {
        (0.0, 0.0): image,
        (-1.0, 0.0): 0.6 * image,
        (0.5, 1.0): 1.2 * image + 0.3,
    }.items():
        changed = image.copy()
        augmentation.change_levels(
            changed, np.array([contrast, brightness]), dataclasses.replace(STILL, contrast=0.4, brightness=0.3)
        )
        np.testing.assert_allclose(changed, expected, rtol=1e-6)
