"""One pass over all images: what each file tells of itself, and a thumbnail.

Every image is decoded once. What is kept of it is small, so that memory grows by 16 KB an image whatever its size.
"""

import collections
from collections.abc import Callable, Iterable, Iterator
import concurrent.futures
import dataclasses
import hashlib
import io
import os
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from ctcov_tf import errors
from ctcov_tf.audit.collection import Collection
from ctcov_tf.images.decode import decode_grey
from ctcov_tf.progress import Bar

SIDE = 128  # of a thumbnail, pixels
FILE_FACTS = ("file_format", "mode", "width", "height", "file_bytes")

_AHEAD = 8  # images a processor that are read and not yet taken

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True)
class Scan:
    """What was seen of a collection.

    Attributes:
      table: the collection's table without the unreadable images, with the columns `FILE_FACTS`, read from the
        files' content, and `sha256`.
      thumbnails: uint8 (n, SIDE, SIDE), grey, squeezed to a square, in the order of the table.
      unreadable: the fault of each image that cannot be decoded, by image id.
    """

    table: pd.DataFrame
    thumbnails: npt.NDArray[np.uint8]
    unreadable: dict[str, str]


def scan(collection: Collection) -> Scan:
    """Reads a collection's images, on all processors.

    Args:
      collection: the images.

    Raises:
      CtcovError: none of them can be decoded.
    """
    images = len(collection.table)
    thumbnails = np.empty((images, SIDE, SIDE), np.uint8)
    facts: list[dict[str, Any]] = []
    unreadable: dict[str, str] = {}
    kept: list[int] = []
    numbered = zip(collection.table["image_id"], collection.read(), strict=True)
    with Bar(total=images, desc="read images", unit="image") as bar:
        for row, seen in enumerate(_on_all_processors(_look, numbered)):
            bar.update()
            if isinstance(seen, errors.CtcovError):
                image_id = str(collection.table["image_id"].iloc[row])
                unreadable[image_id] = str(seen).removeprefix(f"{image_id}: ")
                continue
            told, thumbnails[len(kept)] = seen
            facts.append(told)
            kept.append(row)
    if not kept:
        raise errors.CtcovError(f"{collection.name}: no image can be decoded: {next(iter(unreadable.values()))}")
    table = pd.concat([collection.table.iloc[kept].reset_index(drop=True), pd.DataFrame(facts)], axis="columns")
    return Scan(table, thumbnails[: len(kept)], unreadable)


def _look(named: tuple[str, bytes]) -> tuple[dict[str, Any], npt.NDArray] | errors.CtcovError:
    image_id, data = named
    try:
        grey = decode_grey(data, image_id)
    except errors.CtcovError as error:
        return error
    with Image.open(io.BytesIO(data)) as image:
        told = (image.format, image.mode, *image.size, len(data))
    facts = dict(zip(FILE_FACTS, told, strict=True)) | {"sha256": hashlib.sha256(data).hexdigest()}
    return facts, cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _on_all_processors(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Results in the order of the items, of which only a few are held at once."""
    processors = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(processors) as pool:
        waiting: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= _AHEAD * processors:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
