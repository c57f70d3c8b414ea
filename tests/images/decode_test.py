import subprocess
import sys
import warnings

import cv2
import numpy as np
from PIL import Image
import pytest

from ctcov_tf import errors
from ctcov_tf.images import decode
from tests.images import samples

LOSSLESS = ("png_grey", "png_rgb", "png_rgba", "png_grey_alpha", "bmp_rgb", "png_gamma", "png_rgb_transparent_colour")


@pytest.mark.parametrize("name", samples.READABLE)
def test_every_kind_is_uint8_rgb(name):
    image = decode.decode_rgb(samples.READABLE[name], name)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("name", samples.READABLE)
def test_grey_is_that_of_the_colours(name):
    grey = decode.decode_grey(samples.READABLE[name], name)
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(grey, decode.to_grey(decode.decode_rgb(samples.READABLE[name], name)))


@pytest.mark.parametrize("name", LOSSLESS)
def test_colours_are_as_written_and_alpha_is_dropped(name):
    channels = {"png_grey": 1, "png_grey_alpha": 2, "png_rgba": 4}.get(name, 3)
    written = samples.array(channels)
    expected = np.repeat(written[..., :1], 3, axis=-1) if channels < 3 else written[..., :3]
    np.testing.assert_array_equal(decode.decode_rgb(samples.READABLE[name], name), expected)


@pytest.mark.parametrize(
    "name", [name for name in samples.READABLE if "cmyk" not in name and "transparent" not in name]
)
def test_equals_opencv(name):
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(np.frombuffer(samples.READABLE[name], np.uint8), flags)
    np.testing.assert_array_equal(decode.decode_rgb(samples.READABLE[name], name), bgr[..., ::-1])


def test_16_bit_keeps_the_high_byte():
    stored = cv2.imdecode(np.frombuffer(samples.READABLE["png_grey_16_bit"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    image = decode.decode_rgb(samples.READABLE["png_grey_16_bit"], "image")
    np.testing.assert_array_equal(image[..., 0], stored >> 8)


def test_cmyk_is_near_the_colours_it_came_from():
    image = decode.decode_rgb(samples.READABLE["jpeg_cmyk"], "image")
    assert np.abs(image.astype(int) - samples.array(3)).mean() < 25


def test_an_error_of_any_kind_in_the_decoder_is_the_files_fault():
    with pytest.raises(errors.CtcovError, match="x: damaged or truncated"):
        decode.decode_rgb(samples.SHORT_TRANSPARENCY, "x")


@pytest.mark.parametrize("name", samples.UNREADABLE)
def test_unreadable_files_are_refused_by_name(name):
    data, reason = samples.UNREADABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(errors.CtcovError, match=f"^scan.png: {reason}") as caught:
            decode.decode_rgb(data, "scan.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["png_rgb", "jpeg_rgb", "jpeg_grey"])
def test_every_truncation_is_refused(name):
    data = samples.READABLE[name]
    for length in range(0, len(data) - 2, 7):
        with pytest.raises(errors.CtcovError):
            decode.decode_rgb(data[:length], name)


def test_limit_is_met_exactly():
    pixels = samples.HEIGHT * samples.WIDTH
    decode.decode_rgb(samples.READABLE["png_grey"], "image", pixels)
    with pytest.raises(errors.CtcovError, match=f"41 x 37 pixels, the limit is {pixels - 1}"):
        decode.decode_rgb(samples.READABLE["png_grey"], "image", pixels - 1)


def test_reads_by_content_whatever_the_file_is_called(tmp_path):
    path = tmp_path / "scan.jpg"
    path.write_bytes(samples.READABLE["png_rgb"])
    np.testing.assert_array_equal(decode.read_rgb(path), samples.array(3))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(errors.CtcovError, match=r"nowhere\.png: No such file"):
        decode.read_rgb(tmp_path / "nowhere.png")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(errors.CtcovError, match="Is a directory"):
        decode.read_rgb(tmp_path)


def test_grey_of_equal_channels_is_the_channel():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(decode.to_grey(np.stack([levels] * 3, axis=-1)), levels)


def test_grey_is_within_one_level_of_pillow_and_opencv():
    rgb = samples.array(3)
    grey = decode.to_grey(rgb).astype(int)
    assert np.abs(grey - cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).max() <= 1
    assert np.abs(grey - np.asarray(Image.fromarray(rgb).convert("L"))).max() <= 1


def test_import_is_light():
    code = "import ctcov_tf.images.decode, ctcov_tf.images.overlay, sys; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
