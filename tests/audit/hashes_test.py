import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np

from ctcov_tf.audit import hashes
from tests.audit import samples

THUMBNAILS = np.stack([cv2.resize(samples.picture(seed), (128, 128)) for seed in range(30)])


def test_a_mirrored_picture_has_the_mirrored_transform():
    plain = hashes.transform(THUMBNAILS, hashes.WINDOWS[0])
    flipped = hashes.transform(THUMBNAILS[:, :, ::-1], hashes.WINDOWS[0])
    np.testing.assert_allclose(hashes.mirror(plain), flipped, atol=0.01)


def test_every_bit_parts_the_collection_in_halves():
    transforms = hashes.transform(THUMBNAILS, hashes.WINDOWS[0])
    bits = hashes.bits(transforms, np.median(transforms, axis=0))
    assert bits.shape == (30, hashes.BITS)
    np.testing.assert_array_equal(bits.sum(axis=0), 0)
    others = (hashes.BITS - bits @ bits.T)[~np.eye(30, dtype=bool)] / 2
    assert 0.35 * hashes.BITS < np.median(others) < 0.65 * hashes.BITS


def test_scaling_and_jpeg_change_few_bits():
    transforms = hashes.transform(THUMBNAILS, hashes.WINDOWS[0])
    medians = np.median(transforms, axis=0)
    changed = []
    for image in THUMBNAILS:
        small = cv2.resize(image, (77, 61), interpolation=cv2.INTER_AREA)
        decoded = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
        changed.append(cv2.resize(decoded, (128, 128), interpolation=cv2.INTER_LINEAR))
    again = hashes.bits(hashes.transform(np.stack(changed), hashes.WINDOWS[0]), medians)
    differing = (hashes.BITS - (again * hashes.bits(transforms, medians)).sum(axis=1)) / 2
    assert differing.max() < 20


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 1100), st.integers(1, 40), st.integers(0, hashes.BITS))
def test_close_pairs_are_those_of_a_plain_loop(seed, first_count, second_count, most):
    rng = np.random.default_rng(seed)
    first, second = (
        rng.choice(np.array([-1, 1], np.float32), (count, hashes.BITS)) for count in (first_count, second_count)
    )
    found = {
        (int(row), int(column)): int(bits)
        for start in range(0, first_count, hashes.BLOCK)
        for row, column, bits in zip(*hashes.close_pairs(first, second, start, most), strict=True)
    }
    expected = {
        (row, column): int((one != other).sum())
        for row, one in enumerate(first)
        for column, other in enumerate(second)
        if (one != other).sum() <= most
    }
    assert found == expected
