"""Grey levels to a PNG file, which is how an image reaches every kind of model."""

import io

import numpy.typing as npt
from PIL import Image

_FAST = 1  # zlib's level: the file lives for one answer


def png(grey: npt.NDArray) -> bytes:
    """Encodes an image without loss.

    Args:
      grey: uint8 (height, width).

    Returns:
      The PNG file's content; `decode.decode_grey` gives the same levels again.
    """
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG", compress_level=_FAST)
    return file.getvalue()
