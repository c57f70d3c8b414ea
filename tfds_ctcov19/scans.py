"""CT as NIfTI volumes or DICOM files to 8-bit slices in the lung window, as PNG files.

nibabel and pydicom are imported where they are needed (extras `volumes` and `dicom`).
"""

import functools
import importlib
import io
from typing import Any

from etils import epath
import numpy as np
import numpy.typing as npt
import PIL.Image

from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.image_files import MAX_PIXELS, UnreadableImageError

CENTER, WIDTH = -600.0, 1500.0
"""Of the lung window, Hounsfield units."""

MAX_VOXELS = 1 << 30


def need(module: str, extra: str) -> Any:
    """Imports a library that not every installation has.

    Args:
      module: its name.
      extra: of this package, that brings it.

    Raises:
      DatasetError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DatasetError(f"{error.name}: not installed: install it with pip install 'ctcov[{extra}]'") from error


def grey(hounsfield: npt.NDArray) -> npt.NDArray[np.uint8]:
    """Grey levels of Hounsfield units in the lung window.

    Args:
      hounsfield: of any shape.
    """
    levels = (hounsfield.astype(np.float32) - (CENTER - WIDTH / 2)) / WIDTH * 255
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def png(levels: npt.NDArray[np.uint8]) -> bytes:
    """A picture as a PNG file.

    Args:
      levels: (height, width).
    """
    file = io.BytesIO()
    PIL.Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


@functools.lru_cache(maxsize=4)
def volume(path: epath.Path) -> npt.NDArray:
    """Reads a NIfTI volume and turns its slices as CT is looked at: the patient's right at the left, the back below.

    Args:
      path: of the file, `.nii` or `.nii.gz`.

    Returns:
      (slices, height, width) as stored, from the feet to the head.

    Raises:
      UnreadableImageError: it is damaged, is no volume, or is too large.
      DatasetError: nibabel is not installed.
    """
    nibabel = need("nibabel", "volumes")
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        if len(image.shape) != 3 or np.prod(image.shape, dtype=float) > MAX_VOXELS:
            raise UnreadableImageError(f"shape {image.shape}: no volume of at most {MAX_VOXELS:,} voxels")
        values = np.asanyarray(image.dataobj)
    except UnreadableImageError:
        raise
    except Exception as error:  # nibabel raises errors of every kind on damaged files
        raise UnreadableImageError(" ".join(str(error).split()) or type(error).__name__) from error
    return values.transpose(2, 1, 0)[:, ::-1, ::-1]


def slice_png(path: epath.Path, index: int) -> bytes:
    """A slice of a NIfTI volume in Hounsfield units, in the lung window.

    Args:
      path: of the volume.
      index: of the slice, from the feet.
    """
    return png(grey(volume(path)[index]))


def slice_mask(path: epath.Path, index: int) -> npt.NDArray[np.bool_]:
    """A slice of a NIfTI volume of labels: where there is any.

    Args:
      path: of the volume.
      index: of the slice, from the feet.
    """
    return volume(path)[index] > 0


def ct_png(data: bytes) -> bytes:
    """A CT slice in a DICOM file as a picture, in the lung window.

    Args:
      data: the file's content.

    Raises:
      UnreadableImageError: it is damaged, holds no single grey slice, no Hounsfield units, or one grey level alone.
      DatasetError: pydicom is not installed.
    """
    pydicom = need("pydicom", "dicom")
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        if int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1) > MAX_PIXELS:
            raise UnreadableImageError(f"more than {MAX_PIXELS:,} pixels")
        if "RescaleSlope" not in dataset or "RescaleIntercept" not in dataset:
            raise UnreadableImageError("no Hounsfield units: its values are not rescaled")
        values = dataset.pixel_array
        if values.ndim != 2:
            raise UnreadableImageError("no single grey slice")
        levels = grey(values.astype(np.float32) * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept))
    except UnreadableImageError:
        raise
    except Exception as error:  # pydicom raises errors of every kind on damaged files
        raise UnreadableImageError(" ".join(str(error).split()) or type(error).__name__) from error
    if levels.min() == levels.max():
        raise UnreadableImageError("one grey level alone in the lung window: it shows nothing")
    return png(levels)


def film_png(data: bytes) -> bytes:
    """A radiograph in a DICOM file as a picture: its whole range of values, bright bones.

    Args:
      data: the file's content.

    Raises:
      UnreadableImageError: it is damaged or holds no grey image.
      DatasetError: pydicom is not installed.
    """
    pydicom = need("pydicom", "dicom")
    pixels = need("pydicom.pixels", "dicom")
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        values = pixels.apply_voi_lut(pixels.apply_modality_lut(dataset.pixel_array, dataset), dataset)
        values = values.astype(np.float32)
        if values.ndim != 2:
            raise UnreadableImageError("no single grey image")
        low, high = float(values.min()), float(values.max())
        levels = np.rint((values - low) / max(high - low, 1) * 255).astype(np.uint8)
    except UnreadableImageError:
        raise
    except Exception as error:  # pydicom raises errors of every kind on damaged files
        raise UnreadableImageError(" ".join(str(error).split()) or type(error).__name__) from error
    return png(255 - levels if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else levels)
