import contextlib
import io

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.images import decode as reference
from ctcov_tf.preprocessing import decode
from tests.images import samples

decode_grey = tf.function(decode.decode_grey, input_signature=[tf.TensorSpec((), tf.string)])


def expected_grey(data):
    return reference.to_grey(reference.decode_rgb(data, "image"))[..., np.newaxis]


@pytest.mark.parametrize("name", samples.READABLE)
def test_equals_the_decoder_without_tensorflow(name):
    image = decode_grey(samples.READABLE[name])
    assert image.dtype == tf.uint8
    np.testing.assert_array_equal(image, expected_grey(samples.READABLE[name]))


@pytest.mark.parametrize("name", samples.UNREADABLE)
def test_refuses_what_the_decoder_without_tensorflow_refuses(name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_grey(samples.UNREADABLE[name][0])


@pytest.mark.parametrize("name", ["png_rgb", "jpeg_rgb", "bmp_rgb"])
def test_refuses_truncated_files(name):
    data = samples.READABLE[name]
    for length in range(0, len(data) - 2, 211):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode_grey(data[:length])


def test_static_shape_is_one_channel():
    assert decode_grey.get_concrete_function().output_shapes.as_list() == [None, None, 1]


def test_works_in_a_dataset():
    dataset = tf.data.Dataset.from_tensors(samples.READABLE["png_rgba"]).map(decode.decode_grey)
    np.testing.assert_array_equal(next(iter(dataset)), expected_grey(samples.READABLE["png_rgba"]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equals_the_decoder_without_tensorflow_on_any_image(data):
    channels = data.draw(st.sampled_from([1, 2, 3, 4]))
    shape = (data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40)), channels)
    array = data.draw(arrays.arrays(np.uint8, shape))
    image = Image.fromarray(array[..., 0] if channels == 1 else array)
    kinds = {1: ["PNG", "JPEG"], 2: ["PNG"], 3: ["PNG", "JPEG", "BMP"], 4: ["PNG"]}
    options = {"quality": data.draw(st.integers(1, 100)), "subsampling": data.draw(st.integers(0, 2))}
    encoded = samples.encode(image, data.draw(st.sampled_from(kinds[channels])), **options)
    np.testing.assert_array_equal(decode_grey(encoded), expected_grey(encoded))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["png_rgb", "jpeg_grey", "bmp_rgb"]), st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_crashes_neither_decoder(name, position, change):
    data = bytearray(samples.READABLE[name])
    data[position % len(data)] ^= change
    with contextlib.suppress(errors.CtcovError):
        reference.decode_rgb(bytes(data), name)
    with contextlib.suppress(tf.errors.InvalidArgumentError):
        decode_grey(bytes(data))


def test_equals_the_decoder_without_tensorflow_on_real_images(real_data):
    files = sorted((real_data / "covid_ct" / "Images").rglob("*.*"))
    kinds = {(path.suffix, Image.open(io.BytesIO(path.read_bytes())).mode): path for path in files}
    assert len(kinds) > 3
    for path in [*kinds.values(), *files[::40]]:
        data = path.read_bytes()
        np.testing.assert_array_equal(decode_grey(data), expected_grey(data), err_msg=path.name)
