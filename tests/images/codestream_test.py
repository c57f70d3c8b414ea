import io
import struct

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pydicom
from pydicom import encaps
from pydicom.data import get_testdata_file
import pytest

from ctcov_tf.images import codestream
from ctcov_tf.images.codestream import FrameSize

GREY = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)


def encoded(kind, image=GREY, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"\xff\xc0 is no marker in here"}])
def test_jpeg(options):
    assert codestream.jpeg_size(encoded("JPEG", **options)) == FrameSize(37, 53, 1)
    assert codestream.jpeg_size(encoded("JPEG", np.stack([GREY] * 3, axis=-1), **options)) == FrameSize(37, 53, 3)


@pytest.mark.parametrize("options", [{"no_jp2": True}, {"no_jp2": False}])
def test_jpeg2000_bare_and_in_a_jp2_file(options):
    assert codestream.jpeg2000_size(encoded("JPEG2000", **options)) == FrameSize(37, 53, 1)


def test_jpeg_ls_and_lossless_jpeg2000_of_real_files():
    for name, size in (
        ("MR_small_jpeg_ls_lossless.dcm", codestream.jpeg_size),
        ("MR_small_jp2klossless.dcm", codestream.jpeg2000_size),
    ):
        dataset = pydicom.dcmread(get_testdata_file(name, download=False))
        assert size(encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)) == FrameSize(64, 64, 1)


def test_a_hierarchical_jpeg_has_no_one_size():
    assert codestream.jpeg_size(b"\xff\xd8\xff\xde\x00\x08\x08\x00\x10\x00\x10\x01" + encoded("JPEG")[2:]) is None


def test_a_box_of_no_length_ends_the_search():
    box = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 0, b"free")
    assert codestream.jpeg2000_size(box + bytes(100)) is None


@given(st.binary(max_size=64), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xe0", b"\x00\x00\x00\x0cjP  "]))
def test_whatever_the_bytes_it_ends(data, start):
    for size in codestream.jpeg_size, codestream.jpeg2000_size:
        assert isinstance(size(start + data), FrameSize | None)


@given(st.integers(0, 400))
def test_a_stream_cut_short_gives_its_size_or_none(length):
    assert codestream.jpeg_size(encoded("JPEG")[:length]) in (None, FrameSize(37, 53, 1))
    assert codestream.jpeg2000_size(encoded("JPEG2000")[:length]) in (None, FrameSize(37, 53, 1))
