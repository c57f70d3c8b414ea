"""A DICOM file of one image to a picture file, which is how an image reaches every kind of model."""

from ctcov_tf import errors, files
from ctcov_tf.images import decode, dicom, encode, suitability
from ctcov_tf.images.window import LUNG, Window
from ctcov_tf.modality import Modality

ITEMS = 5_000
"""Most items of sequences, and fragments of compressed pixels, of a file of one frame; images have some ten."""


def png(
    data: bytes,
    name: str,
    known: Modality | None = None,
    *,
    max_pixels: int = decode.MAX_PIXELS,
    max_bytes: int = files.MAX_BYTES,
    window: Window = LUNG,
) -> bytes:
    """Makes a PNG file of a DICOM file's one frame.

    Args:
      data: the DICOM file's content.
      name: what to call it in errors.
      known: the modality that the model knows; None where it does not say.
      max_pixels: images of more are refused, before they are decoded.
      max_bytes: files that inflate to more are refused.
      window: of CT, in Hounsfield units.

    Returns:
      The PNG file's content: grey levels, nothing of the header.

    Raises:
      CtcovError: as `dicom.read_header`, `suitability.check` and `dicom.grey_frames` do; or the file holds several
        frames, or is over the limit.
    """
    limits = dicom.Limits(bytes=max_bytes, items=ITEMS)
    header = dicom.read_header(data, name, limits)
    suitability.check(header, known, name)
    if len(header.frames) > 1:
        raise errors.CtcovError(f"{name}: {len(header.frames)} frames, an answer is about one: ask for the study")
    if header.height * header.width > max_pixels:
        raise decode.over_limit(name, f"{header.width} x {header.height}", max_pixels)
    (grey,) = dicom.grey_frames(data, name, window, limits)
    return encode.png(grey)
