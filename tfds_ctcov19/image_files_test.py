import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from tfds_ctcov19 import image_files


def encode(mode: str, file_format: str, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, len(PIL.Image.new(mode, (1, 1)).getbands())), np.uint8)
    image = PIL.Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, mode)
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


SHORT_TRANSPARENCY = struct.pack(">I", 1) + b"tRNS\0" + struct.pack(">I", zlib.crc32(b"tRNS\0"))


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [("L", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("L", "JPEG"), ("RGB", "JPEG"), ("CMYK", "JPEG")],
)
def test_facts_come_from_content(mode, file_format):
    data = encode(mode, file_format)
    assert image_files.read_facts(data) == image_files.ImageFacts(file_format, mode, 7, 5, len(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "neither PNG nor JPEG"),
        (encode("L", "BMP"), "neither PNG nor JPEG"),
        (encode("RGB", "PNG")[:-12] + SHORT_TRANSPARENCY + encode("RGB", "PNG")[-12:], "requires a buffer"),
        (encode("RGB", "PNG")[:-40], "truncated|broken"),
        (encode("RGB", "JPEG")[:-60], "truncated"),
        (encode("L", "PNG", save_all=True, append_images=[PIL.Image.new("L", (7, 5))]), "animated"),
    ],
)
def test_what_cannot_be_decoded_whole_is_refused_with_its_reason(data, reason):
    with pytest.raises(image_files.UnreadableImageError, match=reason) as error:
        image_files.read_facts(data)
    assert str(error.value)
    assert "\n" not in str(error.value)


def test_too_many_pixels_are_refused_from_the_header(monkeypatch):
    monkeypatch.setattr(image_files, "MAX_PIXELS", 34)
    with pytest.raises(image_files.UnreadableImageError, match="7 x 5 pixels, more than 34"):
        image_files.read_facts(encode("L", "PNG"))
