"""Requests to predict that went wrong on their way: in their JSON, in their base64, or in the image itself.

Some are still whole; most are not. What is made depends on the random generator alone.
"""

import base64
from collections.abc import Callable, Sequence
import json
import random
import struct
from typing import Any
import zlib

_PNG_SIZE = slice(16, 24)  # of the first chunk: width and height
_PNG_HEADER = slice(12, 29)  # its name and content, over which its checksum is
_PNG_SUM = slice(29, 33)
_ODD_NUMBERS = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1)
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    float("nan"),
    10**400,
    "",
    "text",
    "\ud800",
    [],
    [[]],
    {},
    {"b64": None},
    {"b64": ["QQ=="]},
    {"b64": {"b64": "QQ=="}},
    {"b64": "QQ==", "age": 61},
    {"image_bytes": {"image_bytes": {"b64": "QQ=="}}},
)


def mutated(rng: random.Random, images: Sequence[bytes]) -> bytes:
    """Makes the body of a request.

    Args:
      rng: what decides.
      images: image files to begin with.
    """
    kind: Callable[[random.Random, Sequence[bytes]], bytes] = rng.choice(
        (_bad_image, _bad_image, _bad_base64, _bad_json, _bad_bytes)
    )
    return kind(rng, images)


def mutated_file(rng: random.Random, file: bytes) -> bytes:
    """Changes a file: bits, its head, what is missing or added, the size that it claims.

    Args:
      rng: what decides.
      file: of 64 bytes at least.
    """
    data = bytearray(file)
    change = rng.choice((_flip, _flip_head, _cut, _grow, _claim_size, _swap))
    change(rng, data)
    return bytes(data)


def _bad_image(rng: random.Random, images: Sequence[bytes]) -> bytes:
    return _request(rng, [_coded(mutated_file(rng, rng.choice(images)))])


def _flip(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_head(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(min(64, len(data)))] = rng.randrange(256)


def _cut(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data))
    del data[start : rng.choice((len(data), start + rng.randint(1, 16)))]


def _grow(rng: random.Random, data: bytearray) -> None:
    place = rng.randint(0, len(data))
    data[place:place] = rng.randbytes(rng.randint(1, 64))


def _swap(rng: random.Random, data: bytearray) -> None:
    one, other = sorted(rng.sample(range(len(data)), 2))
    data[one:other] = data[one:other][::-1]


def _claim_size(rng: random.Random, data: bytearray) -> None:
    """A PNG that says to be of another size, with the right checksum; a number of another file's head."""
    if data.startswith(b"\x89PNG"):
        data[_PNG_SIZE] = struct.pack(">II", *(rng.choice(_ODD_NUMBERS) for _ in range(2)))
        data[_PNG_SUM] = struct.pack(">I", zlib.crc32(data[_PNG_HEADER]))
    else:
        place = rng.randrange(min(48, len(data) - 4))
        data[place : place + 4] = struct.pack("<I", rng.choice(_ODD_NUMBERS))


def _bad_base64(rng: random.Random, images: Sequence[bytes]) -> bytes:
    text = list(base64.b64encode(rng.choice(images)).decode())
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(text))
        change = rng.choice(("", "=", "?", "é", "\0", "-_", " ", "\n", text[place] * 2))
        text[place : place + rng.randint(0, 3)] = change
    return _request(rng, [{"b64": "".join(text)}])


def _bad_json(rng: random.Random, images: Sequence[bytes]) -> bytes:
    good, odd = _coded(rng.choice(images)), rng.choice(_ODD_VALUES)
    contents: tuple[Any, ...] = (
        odd,
        {"instances": odd},
        {"inputs": odd},
        {"inputs": {"image_bytes": odd}},
        {"inputs": {"image_bytes": [good, odd]}},
        {"instances": [good, odd]},
        {"instances": [odd, {"image_bytes": good}]},
        {"instances": [{"image_bytes": good, "age": odd}]},
        {"instances": [good], "inputs": odd},
        {"instances": [good], "signature_name": odd},
        {"instances": [good], "signature_name": rng.choice(("pixels", "explain", "x" * 10_000))},
        {"instances": [good] * rng.choice((65, 200))},
        {"examples": [odd]},
    )
    return json.dumps(rng.choice(contents)).encode()


def _bad_bytes(rng: random.Random, images: Sequence[bytes]) -> bytes:
    body = bytearray(_request(rng, [_coded(rng.choice(images))]))
    change = rng.choice((_flip_head, _cut, _grow, _swap))
    change(rng, body)
    whole = (
        bytes(body),
        rng.randbytes(rng.randint(0, 100)),
        b"[" * 10_000,
        b'{"a":' * 300,
        b"9" * 5_000,
        b"\xef\xbb\xbf{}",
    )
    return rng.choice(whole)


def _request(rng: random.Random, items: list[Any]) -> bytes:
    contents: tuple[Any, ...] = (
        {"instances": items},
        {"instances": [{"image_bytes": item} for item in items]},
        {"inputs": {"image_bytes": items}},
        {"inputs": items},
    )
    return json.dumps(rng.choice(contents)).encode()


def _coded(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}
