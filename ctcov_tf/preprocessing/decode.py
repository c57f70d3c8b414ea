"""Encoded image to grey levels as graph code: the rule of `ctcov_tf.images.decode`, bit for bit."""

import tensorflow as tf

from ctcov_tf.images.decode import MAX_PIXELS
from ctcov_tf.preprocessing import grey

_PNG_SIGNATURE = b"\x89PNG"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_BMP_SIGNATURE = b"BM"


def decode_grey(image_bytes: tf.Tensor) -> tf.Tensor:
    """Decodes a PNG, JPEG or 24-bit BMP to grey.

    Args:
      image_bytes: string scalar, the file's content.

    Returns:
      uint8 (height, width, 1).

    Raises:
      InvalidArgumentError: when run, on data that are no such image, or of more than `MAX_PIXELS`.
    """
    return _grey(decode_channels(image_bytes))


def decode_channels(image_bytes: tf.Tensor) -> tf.Tensor:
    """Decodes without changing colours.

    Args:
      image_bytes: string scalar, the file's content.

    Returns:
      uint8 (height, width, channels): grey, grey and alpha, RGB, or RGB and alpha.

    Raises:
      InvalidArgumentError: when run, on data that are no such image, or of more than `MAX_PIXELS`.
    """
    png, jpeg, bmp = (
        tf.equal(tf.strings.substr(image_bytes, 0, len(signature)), signature)
        for signature in (_PNG_SIGNATURE, _JPEG_SIGNATURE, _BMP_SIGNATURE)
    )
    known = tf.debugging.Assert(png | jpeg | bmp, ["not a PNG, JPEG or BMP image"])
    with tf.control_dependencies([known]):
        return tf.case(
            [(png, lambda: _decode_png(image_bytes)), (jpeg, lambda: _decode_jpeg(image_bytes))],
            default=lambda: _decode_bmp(image_bytes),
        )


def _decode_png(image_bytes: tf.Tensor) -> tf.Tensor:
    size = tf.io.decode_raw(_field(image_bytes, 16, 8), tf.int32, little_endian=False)
    with tf.control_dependencies([_check_size(size), _check_still(image_bytes)]):
        return tf.io.decode_png(image_bytes)


def _decode_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    size = tf.io.extract_jpeg_shape(image_bytes)[:2]
    with tf.control_dependencies([_check_size(size)]):
        return tf.io.decode_jpeg(image_bytes, dct_method="INTEGER_ACCURATE")


def _decode_bmp(image_bytes: tf.Tensor) -> tf.Tensor:
    size = tf.io.decode_raw(_field(image_bytes, 18, 8), tf.int32)
    bits = tf.io.decode_raw(_field(image_bytes, 28, 2), tf.uint16)
    true_colour = tf.debugging.Assert(tf.reduce_all(bits == 24), ["BMP of other than 24 bits a pixel", bits])
    with tf.control_dependencies([_check_size(tf.abs(size)), true_colour]):  # height < 0: top row first
        return tf.io.decode_bmp(image_bytes, channels=3)


def _field(image_bytes: tf.Tensor, start: int, length: int) -> tf.Tensor:
    whole = tf.debugging.Assert(tf.strings.length(image_bytes) >= start + length, ["truncated image"])
    with tf.control_dependencies([whole]):
        return tf.strings.substr(image_bytes, start, length)


def _check_size(size: tf.Tensor) -> tf.Operation:
    width, height = tf.unstack(tf.cast(tf.ensure_shape(size, [2]), tf.int64))
    return tf.debugging.Assert(width * height <= MAX_PIXELS, ["image over the limit of pixels", width, height])


def _check_still(image_bytes: tf.Tensor) -> tf.Operation:
    """Refuses an APNG of several frames: its control chunk stands before the first image data."""
    head = tf.strings.substr(image_bytes, 0, 65_536)
    animated = tf.strings.regex_full_match(head, r"(?s)\C*\x00\x00\x00\x08acTL\C*")
    return tf.debugging.Assert(tf.logical_not(animated), ["animated image"])


def _grey(image: tf.Tensor) -> tf.Tensor:
    coloured = tf.shape(image)[-1] >= 3
    first = lambda: image[..., :1]  # noqa: E731
    luma = lambda: tf.cast(grey.to_grey(tf.cast(image[..., :3], tf.float32)), tf.uint8)  # noqa: E731
    return tf.ensure_shape(tf.cond(coloured, luma, first), [None, None, 1])
