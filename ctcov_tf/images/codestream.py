"""What a compressed frame says of its own size, read before anything is decoded.

A decoder reserves memory for the size in the frame's own header, whatever the DICOM file around it states.
"""

import dataclasses
import struct

_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC; JPEG-LS
_HIERARCHICAL = 0xDE  # several frame headers follow
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
_JP2_CODESTREAM = b"jp2c"
_J2K_START = b"\xff\x4f\xff\x51"  # SOC, and SIZ behind it


@dataclasses.dataclass(frozen=True)
class FrameSize:
    """Size of a compressed frame.

    Attributes:
      height: pixels.
      width: pixels.
      components: samples a pixel.
    """

    height: int
    width: int
    components: int


def jpeg_size(data: bytes) -> FrameSize | None:
    """Reads the frame header of a JPEG or JPEG-LS codestream.

    Args:
      data: one encoded frame.

    Returns:
      The size; None where there is no such header, or more than one frame.
    """
    if data[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 4 <= len(data):
        start, marker, length = struct.unpack_from(">BBH", data, place)
        if start != 0xFF or marker == _HIERARCHICAL:
            return None
        if marker in _FRAME_HEADERS:
            if place + 10 > len(data):
                return None
            return FrameSize(*struct.unpack_from(">HHB", data, place + 5))
        place += 2 + length
    return None


def jpeg2000_size(data: bytes) -> FrameSize | None:
    """Reads the SIZ marker of a JPEG 2000 codestream, bare or in a JP2 file.

    Args:
      data: one encoded frame.

    Returns:
      The size; None where there is no such marker.
    """
    place = _codestream_start(data)
    if place is None or data[place : place + 4] != _J2K_START or place + 42 > len(data):
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, place + 8)
    (components,) = struct.unpack_from(">H", data, place + 40)
    return FrameSize(bottom - top, right - left, components)


def _codestream_start(data: bytes) -> int | None:
    if not data.startswith(_JP2_SIGNATURE):
        return 0
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == _JP2_CODESTREAM:
            return place + 8
        if length < 8:
            return None
        place += length
    return None
