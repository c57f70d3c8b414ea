"""What all builders share: the features of an image file, read from its content and not from its name."""

import dataclasses
import io
from typing import Any

import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

MAX_PIXELS = 40_000_000


class UnreadableImageError(ValueError):
    """The bytes are no image that can be decoded whole."""


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What a file tells about itself apart from its pixels.

    Attributes:
      file_format: by content, `PNG` or `JPEG`.
      mode: Pillow's mode: `L`, `RGB`, `RGBA`, `P`, ...
      width: native, pixels.
      height: native, pixels.
      file_bytes: length of the file.
    """

    file_format: str
    mode: str
    width: int
    height: int
    file_bytes: int


def is_litter(name: str) -> bool:
    """Whether a file is one that systems leave beside others: hidden, or Windows' thumbnails and settings of a folder.

    Args:
      name: of the file.
    """
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "ehthumbs.db")


def features(class_names: tuple[str, ...], **more: Any) -> tfds.features.FeaturesDict:
    """Returns the features that every dataset here has, and those of `more`."""
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), doc="the file's own bytes, never encoded again"),
            "label": tfds.features.ClassLabel(names=list(class_names)),
            "image_id": tfds.features.Text(doc="unique in the dataset"),
            "group_id": tfds.features.Text(doc="patient, series or batch: what must not be split"),
            "source": tfds.features.Text(doc="where in the archive the image stands"),
            "file_format": tfds.features.Text(doc="by content: PNG or JPEG"),
            "mode": tfds.features.Text(doc="Pillow's mode of the file"),
            "width": tfds.features.Scalar(np.int32, doc="native, pixels"),
            "height": tfds.features.Scalar(np.int32, doc="native, pixels"),
            "file_bytes": tfds.features.Scalar(np.int32, doc="length of the file"),
            **more,
        }
    )


def read_facts(data: bytes) -> ImageFacts:
    """Decodes an image file whole and returns its facts.

    Args:
      data: content of the file.

    Returns:
      Format by content, mode, native size, length.

    Raises:
      UnreadableImageError: empty, truncated, no image, neither PNG nor JPEG, animated, or above `MAX_PIXELS`.
    """
    if not data:
        raise UnreadableImageError("the file is empty")
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImageError(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
        if getattr(image, "is_animated", False):
            raise UnreadableImageError("animated")
        facts = ImageFacts(str(image.format), image.mode, image.width, image.height, len(data))
        image.load()
    except PIL.UnidentifiedImageError as error:
        raise UnreadableImageError("neither PNG nor JPEG") from error
    except UnreadableImageError:
        raise
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise UnreadableImageError(" ".join(str(error).split()) or type(error).__name__) from error
    return facts
