"""Encoded images of every kind that the decoder meets."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 37, 41


def encode(image: Image.Image, file_format: str, **options) -> bytes:
    """The image as a file's content."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def array(channels: int, seed: int = 0) -> np.ndarray:
    """uint8 (HEIGHT, WIDTH, channels): smooth with some noise, as photographs are."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(HEIGHT) * 3, np.arange(WIDTH) * 2)[..., np.newaxis]
    return ((ramp + 40 * np.arange(channels) + rng.integers(0, 30, (HEIGHT, WIDTH, channels))) % 256).astype(np.uint8)


def png_16_bit(colour_type: int, channels: int) -> bytes:
    """A 16-bit PNG written chunk by chunk: Pillow writes only the grey kind."""
    samples = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than the limit."""
    good = encode(Image.new("L", (4, 4)), "PNG")
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return good[:12] + header + struct.pack(">I", zlib.crc32(header)) + good[33:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _without_data(png: bytes) -> bytes:
    """A PNG of its first and its last chunk."""
    return png[:33] + png[-12:]


def _readable() -> dict[str, bytes]:
    grey, grey_alpha, rgb, rgba = (array(channels) for channels in (1, 2, 3, 4))
    image = Image.fromarray(rgb)
    palette = image.quantize(17)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    return {
        "png_grey": encode(Image.fromarray(grey[..., 0]), "PNG"),
        "png_grey_interlaced_bits_4": encode(Image.fromarray(grey[..., 0] // 16 * 17).quantize(16), "PNG", bits=4),
        "png_1_bit": encode(Image.fromarray(grey[..., 0]).convert("1"), "PNG"),
        "png_grey_alpha": encode(Image.fromarray(grey_alpha, "LA"), "PNG"),
        "png_rgb": encode(image, "PNG"),
        "png_rgb_transparent_colour": encode(image, "PNG", transparency=tuple(int(v) for v in rgb[0, 0])),
        "png_rgba": encode(Image.fromarray(rgba), "PNG"),
        "png_palette": encode(palette, "PNG"),
        "png_palette_transparent": encode(palette, "PNG", transparency=bytes(range(17))),
        "png_grey_16_bit": png_16_bit(0, 1),
        "png_grey_alpha_16_bit": png_16_bit(4, 2),
        "png_rgb_16_bit": png_16_bit(2, 3),
        "png_rgba_16_bit": png_16_bit(6, 4),
        "png_gamma": encode(image, "PNG", gamma=0.45455),
        "png_1_pixel": encode(Image.new("L", (1, 1), 77), "PNG"),
        "png_1_row": encode(Image.fromarray(grey[:1, :, 0]), "PNG"),
        "jpeg_grey": encode(Image.fromarray(grey[..., 0]), "JPEG"),
        "jpeg_rgb": encode(image, "JPEG", quality=90),
        "jpeg_rgb_444": encode(image, "JPEG", subsampling=0),
        "jpeg_rgb_422": encode(image, "JPEG", subsampling=1),
        "jpeg_progressive": encode(image, "JPEG", progressive=True),
        "jpeg_cmyk": encode(image.convert("CMYK"), "JPEG"),
        "jpeg_orientation": encode(image, "JPEG", exif=exif),
        "jpeg_1_pixel": encode(Image.new("RGB", (1, 1), (10, 90, 200)), "JPEG"),
        "bmp_rgb": encode(image, "BMP"),
    }


READABLE = _readable()

UNREADABLE = {
    "empty": (b"", "empty file"),
    "text": (b"these are not the pixels you are looking for", "not a PNG, JPEG or BMP"),
    "signature_only": (READABLE["png_rgb"][:10], "not a PNG, JPEG or BMP"),
    "gif": (encode(Image.fromarray(array(1)[..., 0]), "GIF"), "not a PNG, JPEG or BMP"),
    "png_truncated": (READABLE["png_rgb"][:-400], "damaged or truncated"),
    "png_without_end": (READABLE["png_rgb"][:-12], "damaged or truncated"),
    "png_wrong_byte": (
        READABLE["png_rgb"][:200] + bytes([READABLE["png_rgb"][200] ^ 1]) + READABLE["png_rgb"][201:],
        "damaged or truncated",
    ),
    "jpeg_truncated": (READABLE["jpeg_rgb"][:-300], "damaged or truncated"),
    "png_without_data": (_without_data(READABLE["png_rgb"]), "damaged or truncated"),
    "png_huge": (huge_png(8_000, 5_001), "8000 x 5001 pixels, the limit is 40000000"),
    "png_far_too_huge": (huge_png(200_000, 200_000), "far more pixels, the limit is 40000000"),
    "png_animated": (
        encode(
            Image.fromarray(array(1)[..., 0]),
            "PNG",
            save_all=True,
            append_images=[Image.fromarray(array(1, seed=2)[..., 0])],
        ),
        "animated",
    ),
    "bmp_palette": (encode(Image.fromarray(array(1)[..., 0]), "BMP"), "BMP of 8 bits"),
}

SHORT_TRANSPARENCY = READABLE["png_rgb"][:-12] + _chunk(b"tRNS", b"\0") + READABLE["png_rgb"][-12:]
"""A PNG with a chunk that is too short, behind its pixels: Pillow ends in an error of its own, libpng reads on."""
