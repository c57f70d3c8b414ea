"""Where lesions lie, as features of a dataset: masks drawn by radiologists, or boxes."""

from collections.abc import Iterable
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import tensorflow_datasets as tfds

MASK, BOXES, NONE, UNKNOWN = "mask", "boxes", "none", ""
"""What is known of an image's lesions: their outlines; boxes around them; that there is none; nothing."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of width and height."""


def features(*, lungs: bool = False) -> dict[str, Any]:
    """The features of datasets whose lesions are known.

    Args:
      lungs: whether lungs are outlined as well.
    """
    found: dict[str, Any] = {
        "lesion_mask": tfds.features.Image(
            shape=(None, None, 1), encoding_format="png", doc="255 in lesions, or in boxes around them; else 0"
        ),
        "lesions": tfds.features.Text(doc="what is known of them: mask, boxes, none (there is none), or empty"),
    }
    if lungs:
        found["lung_mask"] = tfds.features.Image(shape=(None, None, 1), encoding_format="png", doc="255 in lungs")
    return found


def png(mask: npt.NDArray[np.bool_]) -> bytes:
    """A mask as a PNG file of 0 and 255.

    Args:
      mask: (height, width).
    """
    file = io.BytesIO()
    PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
    return file.getvalue()


def empty(height: int, width: int) -> bytes:
    """A mask of nothing.

    Args:
      height: pixels.
      width: pixels.
    """
    return png(np.zeros((height, width), bool))


def of_boxes(height: int, width: int, boxes: Iterable[Box]) -> bytes:
    """Filled boxes; a pixel that a box touches is in it.

    Args:
      height: pixels.
      width: pixels.
      boxes: as shares of width and height.
    """
    mask = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        rows = slice(max(0, int(top * height)), max(0, int(np.ceil(bottom * height))))
        columns = slice(max(0, int(left * width)), max(0, int(np.ceil(right * width))))
        mask[rows, columns] = True
    return png(mask)


def read(data: bytes) -> npt.NDArray[np.bool_]:
    """A mask from an image file: what is above half of the range.

    Args:
      data: the file's content.

    Raises:
      OSError: it is no image.
    """
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("L")) > 127
