"""One DICOM file to the grey images that a network takes, with limits and clear refusals.

Patient data stay in the file: of its header only the elements named here are read, errors quote no value of any
element, and a header has no `repr` of its values.
"""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import io
import logging
import pathlib
from typing import Any, BinaryIO
import warnings
import zlib

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import encaps, filereader, filewriter, pixels, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from ctcov_tf import errors, files
from ctcov_tf.files import MAX_BYTES
from ctcov_tf.images import codestream
from ctcov_tf.images import window as window_lib
from ctcov_tf.images.decode import MAX_PIXELS
from ctcov_tf.images.dicom_files import is_dicom
from ctcov_tf.images.window import LUNG, Window

MAX_FILE_PIXELS = 1 << 31
"""Files of more pixels, all frames together, are refused: a compressed file needs few bytes for many."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused before it is parsed.

    Attributes:
      bytes: most bytes of a file, and of what a deflated one inflates to.
      frames: most frames of a file.
      items: most items of sequences, and fragments of compressed pixels. One takes 0.1 ms to parse; CT of 4,000 frames
        has some ten a frame.
    """

    bytes: int = MAX_BYTES
    frames: int = 4_000
    items: int = 60_000


LIMITS = Limits()
"""Those of a command line."""

Source = bytes | pathlib.Path
Vector = tuple[float, ...]

_SEQUENCES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
}
_LONG = (*_SEQUENCES, "ModalityLUTSequence", "VOILUTSequence", "PixelData")
_LONGEST = 1 << 16  # bytes of any other element that is read
_DESCRIPTION = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "ImageType",
    "BurnedInAnnotation",
    "PresentationIntentType",
    "InstanceNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    *_SEQUENCES,
)
_DISPLAY = (
    "ModalityLUTSequence",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelData",
)
_BITS = (8, 16, 32)
_HOUNSFIELD = ("HU", "HU_MOD", "H.U.", "HOUNSFIELD", "US", "")
"""Values of RescaleType: Hounsfield units, in DICOM's words and in makers', or not said."""

_MODALITY_OF_CLASS = {
    uid.CTImageStorage: "CT",
    uid.EnhancedCTImageStorage: "CT",
    uid.ComputedRadiographyImageStorage: "CR",
    uid.DigitalXRayImageStorageForPresentation: "DX",
    uid.DigitalXRayImageStorageForProcessing: "DX",
}
"""Where Modality is missing, the kind of object says it."""

_JPEG = {*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes}
_JPEG2000 = {*uid.JPEG2000TransferSyntaxes, uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL}
_FUNCTIONS: dict[str, window_lib.Function] = {"LINEAR_EXACT": "LINEAR_EXACT", "SIGMOID": "SIGMOID"}
_HEAD = 132  # bytes of the preamble and of the prefix behind it
_ROOM = 4096  # bytes that the headers of a frame that does not compress may add
_CHUNK = 1 << 20

for _library in ("pydicom", "openjpeg", "libjpeg", "pylibjpeg"):  # their messages quote values of the file
    logging.getLogger(_library).setLevel(logging.CRITICAL + 1)


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where a frame lies, and what its values mean.

    Attributes:
      position: of the first pixel's centre, mm, in the patient's coordinates; None where it is not stated.
      orientation: direction of the rows and of the columns, six cosines; None where it is not stated.
      slope: of the line from stored values to Hounsfield units; None where it is not stated.
      intercept: of the same line.
      unit: what the line leads to, `HU`; empty where it is not stated.
    """

    position: Vector | None
    orientation: Vector | None
    slope: float | None
    intercept: float | None
    unit: str


@dataclasses.dataclass(frozen=True, repr=False)
class Header:
    """What a DICOM file says of its images; its `repr` shows none of it.

    Attributes:
      study: StudyInstanceUID, empty where it is missing; not for outputs.
      series: SeriesInstanceUID, the same.
      instance: SOPInstanceUID, the same.
      sop_class: UID of the kind of object.
      transfer_syntax: UID of the encoding.
      modality: DICOM's code, such as `CT`; where the file has none, that of its kind of object.
      states_modality: whether the file has one.
      body_part: BodyPartExamined, upper case; empty where it is missing.
      view: ViewPosition, upper case; empty where it is missing.
      image_type: the values of ImageType, upper case.
      intent: PresentationIntentType, upper case; empty where it is missing.
      burned_in: whether the file says that there is identifying text in its pixels.
      instance_number: InstanceNumber; None where it is missing.
      height: pixels; 0 where there is no image.
      width: pixels; 0 where there is no image.
      samples: samples a pixel.
      photometric: PhotometricInterpretation.
      bits: bits a sample, as stored.
      frames: one for each image in the file.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    transfer_syntax: str
    modality: str
    states_modality: bool
    body_part: str
    view: str
    image_type: tuple[str, ...]
    intent: str
    burned_in: bool
    instance_number: int | None
    height: int
    width: int
    samples: int
    photometric: str
    bits: int
    frames: tuple[Frame, ...]


def read_header(source: Source, name: str, limits: Limits = LIMITS) -> Header:
    """Reads what a DICOM file says of its images, and no pixel.

    Args:
      source: the file, or its content.
      name: what to call the file in errors.
      limits: what is refused.

    Returns:
      The header, of one frame at least.

    Raises:
      CtcovError: the file cannot be read, is damaged, or is over a limit.
    """
    with _reading(source, name, limits) as file:
        return _header(_dataset(file, name, _DESCRIPTION, limits), name, limits)


def grey_frames(source: Source, name: str, window: Window = LUNG, limits: Limits = LIMITS) -> Iterator[npt.NDArray]:
    """Decodes the frames of a DICOM file to grey levels, one after the other.

    Of CT the values in Hounsfield units go through the window. Of other images the values go through the display
    pipeline that the file itself holds: modality LUT, then VOI LUT or window, or the range from the smallest to the
    largest value where it holds none. What is stored as MONOCHROME1 is inverted.

    Args:
      source: the file, or its content.
      name: what to call the file in errors.
      window: of CT, in Hounsfield units; the file's own window plays no part.
      limits: what is refused.

    Yields:
      uint8 (height, width), one a frame, in the file's order.

    Raises:
      CtcovError: as `read_header` does; or the file holds no grey image, is compressed in a way that cannot be
        decoded here, or holds frames of more than `decode.MAX_PIXELS` or of another size than it states.
    """
    with _reading(source, name, limits) as file:
        dataset = _dataset(file, name, (*_DESCRIPTION, *_DISPLAY), limits)
        header = _header(dataset, name, limits)
        _check_pixels(dataset, header, name)
        levels = _ct_levels(window, dataset, name) if header.modality == "CT" else _display_levels(dataset)
        decoded = _decoded(dataset, header, name)
    for count, frame in enumerate(header.frames):
        with _guarded(name):
            values = next(decoded, None)
            if values is None:
                raise errors.CtcovError(
                    f"{name}: holds {count} of the {len(header.frames)} frames that it states: fetch it again"
                )
            grey = levels(values, frame)
        yield 255 - grey if header.photometric == "MONOCHROME1" else grey


@contextlib.contextmanager
def _reading(source: Source, name: str, limits: Limits) -> Iterator[BinaryIO]:
    """The file, opened; what pydicom makes of damage becomes one error."""
    try:
        file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else files.open_regular(source)
    except OSError as error:
        raise errors.CtcovError(f"{name}: {error.strerror}: name a file that can be read") from error
    with file, _guarded(name):
        if file.seek(0, io.SEEK_END) > limits.bytes:
            raise _over_limit(name, "is", "bytes", limits.bytes)
        file.seek(0)
        yield file


@contextlib.contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Turns what pydicom and the decoders raise into one error, and keeps their warnings, which quote values, back.

    Their exceptions are of every kind, and are not chained, since their messages quote values too.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except errors.CtcovError:
        raise
    except Exception as error:
        raise errors.CtcovError(f"{name}: damaged DICOM file ({type(error).__name__}): fetch it again") from None


def _over_limit(name: str, what: str, unit: str, limit: int) -> errors.CtcovError:
    return errors.CtcovError(f"{name}: {what} over the limit of {limit:,} {unit}: split the file first")


def _dataset(file: BinaryIO, name: str, keywords: tuple[str, ...], limits: Limits) -> Dataset:
    """The elements of these names, and no others."""
    if not is_dicom(file.read(_HEAD)):
        raise errors.CtcovError(f"{name}: not a DICOM file: name one")
    meta = filereader.read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_behind_meta)
    syntaxes = [element.value for element in meta if element.keyword == "TransferSyntaxUID"]
    if not syntaxes:
        raise errors.CtcovError(f"{name}: states no transfer syntax: convert it to Explicit VR Little Endian")
    body = file.tell()
    if syntaxes[0] == uid.DeflatedExplicitVRLittleEndian:
        file, body = _inflated(file, meta, name, limits)
    _check_items(file, body, big_endian=syntaxes[0] == uid.ExplicitVRBigEndian, name=name, limits=limits)
    file.seek(0)
    dataset = pydicom.dcmread(file, specific_tags=list(keywords), stop_before_pixels="PixelData" not in keywords)
    for keyword in keywords:
        _check_length(dataset, keyword, name)
    return dataset


def _behind_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _inflated(file: BinaryIO, meta: Dataset, name: str, limits: Limits) -> tuple[BinaryIO, int]:
    """A deflated file as one that is not, within the limit, and where its data set begins."""
    written = io.BytesIO()
    written.write(bytes(_HEAD - 4) + b"DICM")
    plain = FileMetaDataset(meta)
    plain.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    filewriter.write_file_meta_info(DicomIO(written), plain, enforce_standard=False)
    body = written.tell()
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    chunk = file.read(_CHUNK)
    while chunk:
        written.write(inflater.decompress(chunk, _CHUNK))
        if written.tell() > limits.bytes:
            raise _over_limit(name, "inflates to", "bytes", limits.bytes)
        chunk = inflater.unconsumed_tail or file.read(_CHUNK)
    return written, body


def _check_items(file: BinaryIO, start: int, *, big_endian: bool, name: str, limits: Limits) -> None:
    """Counts the items of sequences before pydicom makes an object of each: by their tag, wherever it stands."""
    tag = b"\xff\xfe\xe0\x00" if big_endian else b"\xfe\xff\x00\xe0"
    file.seek(start)
    count, end = 0, b""
    while chunk := file.read(_CHUNK):
        count += (end + chunk).count(tag)
        if count > limits.items:
            raise _over_limit(name, "holds sequences", "items", limits.items)
        end = chunk[-len(tag) + 1 :]


def _check_length(dataset: Dataset, keyword: str, name: str) -> None:
    """Refuses texts and numbers of a length that no such element has, before they become values."""
    if keyword in _LONG or keyword not in dataset:
        return
    raw = dataset.get_item(keyword)
    if isinstance(raw, RawDataElement) and raw.length > _LONGEST:
        raise errors.CtcovError(f"{name}: damaged DICOM file (an element of {raw.length:,} bytes): fetch it again")


def _header(dataset: Dataset, name: str, limits: Limits) -> Header:
    count = int(dataset.get("NumberOfFrames") or 1)
    if count < 1:
        raise errors.CtcovError(f"{name}: states no frame: fetch it again")
    if count > limits.frames:
        raise _over_limit(name, "states frames", "frames", limits.frames)
    number = dataset.get("InstanceNumber")
    sop_class = str(dataset.file_meta.get("MediaStorageSOPClassUID") or "") or _text(dataset, "SOPClassUID")
    modality = _text(dataset, "Modality").upper()
    return Header(
        study=_text(dataset, "StudyInstanceUID"),
        series=_text(dataset, "SeriesInstanceUID"),
        instance=_text(dataset, "SOPInstanceUID"),
        sop_class=sop_class,
        transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID", "")),
        modality=modality or _MODALITY_OF_CLASS.get(uid.UID(sop_class), ""),
        states_modality=bool(modality),
        body_part=_text(dataset, "BodyPartExamined").upper(),
        view=_text(dataset, "ViewPosition").upper(),
        image_type=tuple(str(value).strip().upper() for value in _values(dataset.get("ImageType"))),
        intent=_text(dataset, "PresentationIntentType").upper(),
        burned_in=_text(dataset, "BurnedInAnnotation").upper() == "YES",
        instance_number=None if number in (None, "") else int(number),
        height=int(dataset.get("Rows") or 0),
        width=int(dataset.get("Columns") or 0),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        photometric=_text(dataset, "PhotometricInterpretation"),
        bits=int(dataset.get("BitsAllocated") or 0),
        frames=_frames(dataset, count, name),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _values(value: Any) -> list[Any]:
    """The values of an element, of which pydicom makes a list only if there are several."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue) else [value]


def _frames(dataset: Dataset, count: int, name: str) -> tuple[Frame, ...]:
    """What is stated once for the file, or in functional groups for all its frames or for each."""
    shared, per_frame = (list(dataset.get(keyword) or []) for keyword in _SEQUENCES)
    common = _stated(dataset, name)
    for item in shared[:1]:
        common |= _stated(item, name)
    if not per_frame:
        return (_frame(common),) * count
    frames = [_frame(common | _stated(item, name)) for item in per_frame[:count]]
    return (*frames, *[_frame(common)] * (count - len(frames)))


def _stated(place: Dataset, name: str) -> dict[str, Any]:
    """What a data set, and the groups in it, state of frames: the last that states something counts."""
    found: dict[str, Any] = {}
    for group, keywords in _GROUPS.items():
        for item in (place, *(place.get(group) or [])):
            for keyword in keywords:
                _check_length(item, keyword, name)
                if item.get(keyword) is not None:
                    found[keyword] = item[keyword].value
    return found


def _frame(stated: dict[str, Any]) -> Frame:
    return Frame(
        position=_vector(stated.get("ImagePositionPatient"), 3),
        orientation=_vector(stated.get("ImageOrientationPatient"), 6),
        slope=_number(stated.get("RescaleSlope")),
        intercept=_number(stated.get("RescaleIntercept")),
        unit=str(stated.get("RescaleType") or "").strip().upper(),
    )


def _number(value: Any) -> float | None:
    return None if value in (None, "") else float(value)


def _numbers(value: Any) -> list[float]:
    return [float(number) for number in _values(value)]


def _vector(value: Any, length: int) -> Vector | None:
    """The numbers; None where some are missing or not finite."""
    numbers = tuple(_numbers(value))
    return numbers if len(numbers) == length and np.isfinite(numbers).all() else None


def _check_pixels(dataset: Dataset, header: Header, name: str) -> None:
    """Holds the image to what can be decoded, before it is."""
    if "PixelData" not in dataset or not header.height * header.width:
        raise errors.CtcovError(f"{name}: holds no image: name an image of the study")
    if header.height * header.width > MAX_PIXELS:
        raise _over_limit(name, "a frame is", "pixels", MAX_PIXELS)
    if header.height * header.width * len(header.frames) > MAX_FILE_PIXELS:
        raise _over_limit(name, "all frames together are", "pixels", MAX_FILE_PIXELS)
    if header.samples != 1 or header.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise errors.CtcovError(f"{name}: colour image: name the grey image that it was made of")
    if header.bits not in _BITS:
        raise errors.CtcovError(f"{name}: its samples have neither 8, 16 nor 32 bits: convert it to 16 bits")
    syntax = uid.UID(header.transfer_syntax)
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise errors.CtcovError(f"{name}: transfer syntax that is not known here: convert it to Explicit VR")
    try:
        available = pixels.get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise errors.CtcovError(
            f"{name}: {syntax.name}: cannot be decoded here: install it with pip install 'ctcov[dicom]', or convert "
            "the file to Explicit VR"
        )


def _decoded(dataset: Dataset, header: Header, name: str) -> Iterator[npt.NDArray]:
    """The stored values of each frame."""
    encoded = dataset.PixelData
    syntax = uid.UID(header.transfer_syntax)
    if syntax.is_encapsulated:
        for frame in encaps.generate_frames(encoded, number_of_frames=len(header.frames)):
            _check_frame(frame, header, name)
    yield from (
        values
        for values, _ in pixels.get_decoder(syntax).iter_array(
            encoded,
            rows=header.height,
            columns=header.width,
            number_of_frames=len(header.frames),
            samples_per_pixel=1,
            photometric_interpretation=header.photometric,
            bits_allocated=header.bits,
            bits_stored=int(dataset.get("BitsStored") or header.bits),
            pixel_representation=int(dataset.get("PixelRepresentation") or 0),
            pixel_keyword="PixelData",
            pixel_vr=dataset["PixelData"].VR,
        )
    )


def _check_frame(frame: bytes, header: Header, name: str) -> None:
    """Holds a compressed frame to the size that the file states."""
    raw = header.height * header.width * header.bits // 8
    if len(frame) > 2 * raw + _ROOM:
        raise errors.CtcovError(f"{name}: a compressed frame is larger than the image itself: fetch it again")
    if header.transfer_syntax in _JPEG:
        size = codestream.jpeg_size(frame)
    elif header.transfer_syntax in _JPEG2000:
        size = codestream.jpeg2000_size(frame)
    else:
        return
    if size != codestream.FrameSize(header.height, header.width, 1):
        raise errors.CtcovError(f"{name}: a compressed frame has another size than the file states: fetch it again")


Levels = Callable[[npt.NDArray, Frame], npt.NDArray]


def _ct_levels(window: Window, dataset: Dataset, name: str) -> Levels:
    """Stored values to Hounsfield units to grey levels; padding around the scan is black, as air is."""

    def levels(values: npt.NDArray, frame: Frame) -> npt.NDArray:
        if not frame.slope or frame.intercept is None or not np.isfinite([frame.slope, frame.intercept]).all():
            raise errors.CtcovError(
                f"{name}: no rescale slope and intercept: its values are no Hounsfield units: fetch the original"
            )
        if frame.unit not in _HOUNSFIELD:
            raise errors.CtcovError(
                f"{name}: a map of something else than Hounsfield units: name the CT images that it was made of"
            )
        grey = window_lib.grey(values * frame.slope + frame.intercept, window)
        return np.where(_padding(values, dataset), np.uint8(0), grey)

    return levels


def _display_levels(dataset: Dataset) -> Levels:
    """Stored values to grey levels as the file says that they are shown; padding is black in the picture."""
    function = _FUNCTIONS.get(_text(dataset, "VOILUTFunction").upper(), "LINEAR")
    narrowest = 1 if function == "LINEAR" else np.nextafter(0, 1)
    windows = zip(_numbers(dataset.get("WindowCenter")), _numbers(dataset.get("WindowWidth")), strict=False)
    stated = next(((center, width) for center, width in windows if width >= narrowest), None)
    modality_lut, voi_lut = (_lut(dataset, f"{kind}LUTSequence") for kind in ("Modality", "VOI"))
    black = 255 if _text(dataset, "PhotometricInterpretation") == "MONOCHROME1" else 0

    def levels(values: npt.NDArray, frame: Frame) -> npt.NDArray:
        padding = _padding(values, dataset)
        if modality_lut:
            shown = modality_lut(values).astype(np.float64)
        else:
            shown = pixels.apply_rescale(values, dataset).astype(np.float64)
        if voi_lut:
            # white is the largest entry: tables often state more bits than they use
            grey = window_lib.spread(voi_lut(shown), 0, voi_lut.table.max())
        elif stated:
            grey = window_lib.grey(shown, Window(*stated), function)
        else:
            image = shown[~padding]
            grey = window_lib.spread(shown, image.min(initial=np.inf), image.max(initial=-np.inf))
        return np.where(padding, np.uint8(black), grey)

    return levels


def _padding(values: npt.NDArray, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Which stored values are no part of the image: those of PixelPaddingValue, to its range's limit."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(values.shape, bool)
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(first), int(first if last is None else last)))
    return (values >= low) & (values <= high)


@dataclasses.dataclass(frozen=True)
class _Lut:
    """A look-up table (PS3.3 C.11.1.1.1, C.11.2.1.1).

    Attributes:
      first: value that the first entry stands for; those below get it too.
      table: the entries.
    """

    first: int
    table: npt.NDArray

    def __call__(self, values: npt.NDArray) -> npt.NDArray:
        return self.table[np.clip(np.rint(values) - self.first, 0, len(self.table) - 1).astype(np.intp)]


def _lut(dataset: Dataset, keyword: str) -> _Lut | None:
    """The first table of a sequence, whatever its number of bits: makers state 8 to 16 and store words or bytes."""
    sequence = dataset.get(keyword)
    if not sequence:
        return None
    entries, first, bits = (int(number) for number in sequence[0].LUTDescriptor)
    entries = entries or 1 << 16
    data = sequence[0].LUTData
    if isinstance(data, bytes):
        words = len(data) >= 2 * entries
        table = np.frombuffer(data, "<u2" if words else "u1")
        if bits <= 8 and not words and len(data) < entries:
            raise ValueError("a table shorter than it states")
    else:
        table = np.atleast_1d(np.asarray(data))
        if len(table) < entries and bits <= 8:  # two entries of a byte in each word
            table = table.astype("<u2").view("u1")
    if len(table) < entries:
        raise ValueError("a table shorter than it states")
    signed = int(dataset.get("PixelRepresentation") or 0) == 1
    return _Lut(first - (1 << 16) if signed and first >= 1 << 15 else first, table[:entries].astype(np.int64))
