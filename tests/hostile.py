"""Mutated image files: PNG, JPEG, DICOM and NPY, drawn and written here; what is made depends on the seed alone.

python -m tests.hostile MINUTES [SEED]    sends them through decoders and a tiny model for so long, and counts
"""

import collections
from collections.abc import Callable, Iterator
import io
import random
import struct
import sys
import time
import traceback
import zlib

import numpy as np
from PIL import Image
from pydicom import encaps, uid

from benchmarks import mutated_requests
from tests.images import dicom_samples, samples
from tfds_ctcov19.phantom import scanner

KINDS = ("png", "jpeg", "dicom", "npy")
SIDE = 64  # of phantoms, pixels

_INSTANCE = "1.2.826.0.1.3680043.8.498.77"
_ODD = (0, 1, 2, 3, 7, 8, 15, 17, 255, 256, 2**12, 2**15, 2**16 - 1)
_TAGS = {  # elements of two bytes that say how pixels are stored
    "SamplesPerPixel": (0x28, 0x02),
    "Rows": (0x28, 0x10),
    "Columns": (0x28, 0x11),
    "BitsAllocated": (0x28, 0x100),
    "BitsStored": (0x28, 0x101),
    "HighBit": (0x28, 0x102),
    "PixelRepresentation": (0x28, 0x103),
}
_TEXT_TAGS = {  # elements of text: number of frames, slope, intercept, position, orientation, window, modality
    (0x28, 0x08): ("0", "-1", "2", "4000", "4001", "999999999", "1e9", "x"),
    (0x28, 0x1053): ("0", "nan", "inf", "1e308", "-1", "1\\2", ""),
    (0x28, 0x1052): ("nan", "-inf", "1e308", "x", ""),
    (0x20, 0x32): ("nan\\nan\\nan", "1\\2", "1e308\\1e308\\1e308", "a\\b\\c", ""),
    (0x20, 0x37): ("0\\0\\0\\0\\0\\0", "1\\0\\0\\1\\0\\0", "nan\\0\\0\\0\\1\\0", "1", ""),
    (0x28, 0x1050): ("nan", "1\\2\\3", "x", ""),
    (0x28, 0x1051): ("0", "-1", "nan", "1e-320", ""),
    (0x08, 0x60): ("MR", "CTCT", "", "\0\0"),
}


def phantom(number: int = 0) -> np.ndarray:
    """A drawn slice, uint8 (SIDE, SIDE)."""
    return scanner.scan(number, (SIDE, SIDE)).image


def originals() -> dict[str, list[bytes]]:
    """Whole files of each kind."""
    drawn = phantom()
    stored = drawn.astype(np.int32) * 5 - 1200
    frames = np.stack([stored, stored + 50, stored + 90])
    positions = [(0.0, 0.0, float(place)) for place in range(3)]
    array = io.BytesIO()
    np.save(array, drawn)
    return {
        "png": [data for name, data in samples.READABLE.items() if name.startswith("png")]
        + [samples.encode(Image.fromarray(drawn), "PNG")],
        "jpeg": [data for name, data in samples.READABLE.items() if name.startswith("jpeg")]
        + [samples.encode(Image.fromarray(drawn), "JPEG", quality=80)],
        "dicom": [
            dicom_samples.ct(stored, instance=_INSTANCE),
            dicom_samples.ct(stored, instance=_INSTANCE, syntax=uid.DeflatedExplicitVRLittleEndian),
            dicom_samples.ct(stored, instance=_INSTANCE, syntax=uid.ImplicitVRLittleEndian),
            dicom_samples.enhanced_ct(frames, positions, instance=_INSTANCE),
            dicom_samples.radiograph(
                drawn.astype(np.uint16) * 16, instance=_INSTANCE, WindowCenter=2000, WindowWidth=3000
            ),
            _compressed("JPEG", uid.JPEGBaseline8Bit, drawn),
            _compressed("JPEG2000", uid.JPEG2000Lossless, drawn),
            _run_lengths(drawn),
        ],
        "npy": [array.getvalue()],
    }


def corpus(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Mutated files.

    Args:
      count: how many, as many of each kind, all different and none of them whole as it was.
      seed: of what is made.

    Yields:
      The kind that the file was, and its content.
    """
    rng = random.Random(seed)
    whole = originals()
    seen = {data for files in whole.values() for data in files}
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        data = rng.choice(whole[kind])
        while data in seen:
            for _ in range(rng.choice((1, 1, 1, 2, 4))):
                if len(data) >= 64:
                    data = rng.choice(_CHANGES[kind])(rng, data)
            if len(data) < 64 and data in seen:
                data = rng.choice(whole[kind])
        seen.add(data)
        yield kind, data


def _compressed(file_format: str, syntax: uid.UID, drawn: np.ndarray) -> bytes:
    """A radiograph whose pixels are a compressed codestream."""
    options = {"no_jp2": True} if file_format == "JPEG2000" else {"quality": 80}
    coded = samples.encode(Image.fromarray(drawn), file_format, **options)
    return _encapsulated([coded], syntax, drawn)


def _run_lengths(drawn: np.ndarray) -> bytes:
    """A radiograph in RLE: every row literal."""
    row = b"".join(bytes([len(line) - 1]) + line.tobytes() for line in drawn)
    return _encapsulated([struct.pack("<16I", 1, 64, *[0] * 14) + row + b"\0" * (len(row) % 2)], uid.RLELossless, drawn)


def _encapsulated(frames: list[bytes], syntax: uid.UID, drawn: np.ndarray) -> bytes:
    stated = {"ViewPosition": "PA", "ImageType": ["ORIGINAL", "PRIMARY", ""], "modality": "DX", "syntax": syntax}
    stated["instance"] = _INSTANCE
    dataset = dicom_samples.with_pixels(dicom_samples.header(dicom_samples.DX_IMAGE, **stated), drawn)
    dataset.PixelData = encaps.encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dicom_samples.content(dataset)


def _claimed_tag(rng: random.Random, data: bytes) -> bytes:
    """Another number in an element that says how pixels are stored."""
    group, element = rng.choice(list(_TAGS.values()))
    place = data.find(struct.pack("<HH", group, element))
    if place < 0:
        return data
    return data[: place + 8] + struct.pack("<H", rng.choice(_ODD)) + data[place + 10 :]


def _claimed_text(rng: random.Random, data: bytes) -> bytes:
    """Another value of text, the element's length with it."""
    (group, element), values = rng.choice(list(_TEXT_TAGS.items()))
    place = data.find(struct.pack("<HH", group, element))
    if place < 0 or place + 8 > len(data):
        return data
    (length,) = struct.unpack_from("<H", data, place + 6)
    value = rng.choice(values).encode()
    value += b" " * (len(value) % 2)
    return data[: place + 6] + struct.pack("<H", len(value)) + value + data[place + 8 + length :]


def _claimed_length(rng: random.Random, data: bytes) -> bytes:
    """Another length of the pixel data."""
    place = data.find(b"\xe0\x7f\x10\x00")
    if place < 0 or place + 12 > len(data):
        return data
    length = rng.choice((0, 1, 2, 2**16, 2**31 - 1, 2**32 - 2, 2**32 - 1))
    return data[: place + 8] + struct.pack("<I", length) + data[place + 12 :]


def _chunks(rng: random.Random, data: bytes) -> bytes:
    """A PNG chunk twice, left out, moved, or with other content and the right checksum."""
    if not data.startswith(b"\x89PNG"):
        return data
    found, place = [], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        found.append(data[place : place + 12 + length])
        place += 12 + length
    if not found:
        return data
    chosen = rng.randrange(len(found))
    change = rng.choice(("twice", "gone", "moved", "other"))
    if change == "twice":
        found.insert(rng.randrange(len(found)), found[chosen])
    elif change == "gone":
        del found[chosen]
    elif change == "moved":
        found.insert(rng.randrange(len(found)), found.pop(chosen))
    else:
        kind = found[chosen][4:8] if rng.random() < 0.5 else rng.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL"))
        content = rng.randbytes(rng.choice((0, 1, 4, 13, 26, 768)))
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        found[chosen] = struct.pack(">I", len(content)) + kind + content + checksum
    return data[:8] + b"".join(found)


def _frame_header(rng: random.Random, data: bytes) -> bytes:
    """Another size, precision or number of components in a JPEG's frame header."""
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        place = data.find(marker)
        if 0 <= place <= len(data) - 10:
            where = rng.randrange(4, 10)
            return (
                data[: place + where] + bytes([rng.choice((0, 1, 3, 4, 8, 12, 127, 255))]) + data[place + where + 1 :]
            )
    return data


def _array_header(rng: random.Random, data: bytes) -> bytes:
    """Another shape or type in the header of a NumPy file."""
    old, new = rng.choice(
        ((b"(64, 64)", b"(9999999999, 64)"), (b"|u1", b"|O8"), (b"|u1", b"<f8"), (b"False", b"True "), (b"(64", b"((("))
    )
    return data.replace(old, new)


_Change = Callable[[random.Random, bytes], bytes]
_CHANGES: dict[str, tuple[_Change, ...]] = {
    "png": (mutated_requests.mutated_file, _chunks),
    "jpeg": (mutated_requests.mutated_file, mutated_requests.mutated_file, _frame_header),
    "dicom": (mutated_requests.mutated_file, _claimed_tag, _claimed_text, _claimed_length),
    "npy": (mutated_requests.mutated_file, _array_header),
}


def main(minutes: float, seed: int) -> None:
    """Sends mutated files through the entry points of image and DICOM files until the time is over.

    Args:
      minutes: how long.
      seed: of what is made.
    """
    from ctcov_tf import errors
    from ctcov_tf.images import decode, dicom, dicom_files

    counts: collections.Counter[str] = collections.Counter()
    until = time.monotonic() + 60 * minutes
    slowest = 0.0
    while time.monotonic() < until:
        for kind, data in corpus(1000, seed):
            start = time.monotonic()
            try:
                if dicom_files.is_dicom(data):
                    dicom.read_header(data, "file")
                    for _ in dicom.grey_frames(data, "file"):
                        pass
                else:
                    decode.decode_rgb(data, "file")
            except errors.CtcovError:
                counts[f"{kind} refused"] += 1
            except Exception as error:
                name = f"{kind} FAULT {type(error).__name__}"
                counts[name] += 1
                if counts[name] == 1:
                    print(f"seed {seed}", flush=True)
                    traceback.print_exception(error)
            else:
                counts[f"{kind} decoded"] += 1
            slowest = max(slowest, time.monotonic() - start)
        seed += 1
    print(f"{sum(counts.values())} files, seeds to {seed - 1}, slowest {slowest:.2f} s")
    for name, number in sorted(counts.items()):
        print(f"  {name}: {number}")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
