"""Encoded image to 8-bit array, with limits and clear refusals; no TensorFlow.

`ctcov_tf.preprocessing.decode` is the same rule as graph code, bit for bit.
"""

from collections.abc import Callable
import io
import os
import warnings

import numpy as np
from PIL import Image

from ctcov_tf import errors, files

MAX_PIXELS = 40_000_000
"""Images of more pixels are refused: nothing on a chest CT needs them, and they exhaust memory."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
"""Of the files that are taken for images where a folder is named."""

FORMATS = ("PNG", "JPEG", "BMP")
"""What is read, recognised by content; the file's name plays no part."""

LUMA = (4899, 9617, 1868)
"""Weights of red, green and blue in 1/16384: ITU-R BT.601 as 14-bit fixed point."""

_BMP_BITS_OFFSET = 28  # of the field that holds the bits of a pixel
_DAMAGED = Exception  # Pillow's decoders raise errors of every kind on damaged files


def read_rgb(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image file: `decode_rgb` of its content.

    Raises:
      CtcovError: the file is missing, or `decode_rgb` refuses it.
    """
    return decode_rgb(read_bytes(path), os.fspath(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Reads a file's content.

    Raises:
      CtcovError: the file is missing, cannot be read, is no regular file, or is larger than `files.MAX_BYTES`.
    """
    try:
        return files.read_bytes(path)
    except OSError as error:
        raise errors.CtcovError(f"{path}: {error.strerror}: name an image file that can be read") from error


def decode_rgb(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decodes a PNG, JPEG or 24-bit BMP.

    Palettes become colours, transparency is dropped (not blended), 16-bit samples keep their high byte,
    the EXIF orientation is ignored.

    Args:
      data: the file's content.
      name: what to call the image in errors.
      max_pixels: images of more are refused, before they are decoded.

    Returns:
      uint8 (height, width, 3), red first.

    Raises:
      CtcovError: the data are empty, truncated, no such image, animated, or of more than `max_pixels`.
    """
    return _decode(data, name, _to_rgb, max_pixels)


def decode_grey(data: bytes, name: str) -> np.ndarray:
    """Decodes to grey: `to_grey` of `decode_rgb`, without the way over colours where the file has none.

    Args:
      data: the file's content.
      name: what to call the image in errors.

    Returns:
      uint8 (height, width).

    Raises:
      CtcovError: as `decode_rgb` does.
    """
    return _decode(data, name, _to_grey, MAX_PIXELS)


def to_grey(rgb: np.ndarray) -> np.ndarray:
    """Luma of an RGB image in fixed point; equal channels give their own value.

    Args:
      rgb: uint8 (height, width, 3).

    Returns:
      uint8 (height, width).
    """
    red, green, blue = (rgb[..., channel].astype(np.int32) * weight for channel, weight in enumerate(LUMA))
    return ((red + green + blue + 8192) >> 14).astype(np.uint8)


def _decode(data: bytes, name: str, convert: Callable[[Image.Image], np.ndarray], max_pixels: int) -> np.ndarray:
    if not data:
        raise errors.CtcovError(f"{name}: empty file: fetch or export the image again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files, and on sizes that our own limit refuses
        return _decode_checked(data, name, convert, max_pixels)


def _decode_checked(
    data: bytes, name: str, convert: Callable[[Image.Image], np.ndarray], max_pixels: int
) -> np.ndarray:
    with _open(data, name) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise over_limit(name, f"{width} x {height}", max_pixels)
        if image.format == "PNG" and getattr(image, "is_animated", False):
            raise errors.CtcovError(f"{name}: animated image: save the frame to be judged as a PNG of its own")
        if image.format == "BMP" and data[_BMP_BITS_OFFSET] != 24:
            raise errors.CtcovError(f"{name}: BMP of {data[_BMP_BITS_OFFSET]} bits a pixel: convert it to PNG")
        try:
            if image.format == "PNG":
                _open(data, name).verify()  # checksums, to the last chunk: decoding alone overlooks a missing end
            return convert(image)
        except _DAMAGED as error:
            raise errors.CtcovError(f"{name}: damaged or truncated ({error}): fetch or export it again") from error


def _open(data: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise over_limit(name, "far more", MAX_PIXELS) from error
    except _DAMAGED as error:
        raise errors.CtcovError(f"{name}: not a PNG, JPEG or BMP image: convert it to PNG") from error


def over_limit(name: str, size: str, max_pixels: int) -> errors.CtcovError:
    """The error that refuses an image of too many pixels.

    Args:
      name: of the image.
      size: its pixels, as far as they are known.
      max_pixels: most that are taken.
    """
    return errors.CtcovError(f"{name}: {size} pixels, the limit is {max_pixels}: scale the image down first")


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "CMYK":
        return _cmyk_to_rgb(image)
    if image.mode.startswith("I;16"):
        return np.repeat(_high_bytes(image)[..., np.newaxis], 3, axis=-1)
    if image.mode == "RGBA":
        return np.ascontiguousarray(np.asarray(image)[..., :3])
    image.info.pop("transparency", None)
    return np.asarray(image.convert("RGB"))


def _to_grey(image: Image.Image) -> np.ndarray:
    if image.mode == "L":
        return np.asarray(image)
    if image.mode.startswith("I;16"):
        return _high_bytes(image)
    return to_grey(_to_rgb(image))


def _high_bytes(image: Image.Image) -> np.ndarray:
    return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)


def _cmyk_to_rgb(image: Image.Image) -> np.ndarray:
    """Multiplies the inks with black; Adobe's files hold them inverted, which Pillow undoes for every file."""
    ink = np.asarray(image).astype(np.int32)
    light = 255 - ink if "adobe" in image.info else ink
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)
