"""DICOM files that tests write: whole, with tags of a patient that must never be seen again."""

import io

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

CT_IMAGE, ENHANCED_CT, SECONDARY_CAPTURE = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.7",
)
DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"
AXIAL = [1, 0, 0, 0, 1, 0]
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"

PATIENT = {
    "PatientName": "Quillfeather^Zebediah",
    "PatientID": "MRN-7734912",
    "PatientBirthDate": "19310417",
    "PatientAddress": "17 Larkspur Crescent",
    "OtherPatientIDs": "ALT-558201",
    "AccessionNumber": "ACC-904417",
    "StudyID": "SID-31337",
    "StudyDate": "20190823",
    "StudyTime": "134259",
    "StudyDescription": "Thorax of Mr Quillfeather",
    "SeriesDescription": "Zebediah lung kernel",
    "ProtocolName": "QuillProtocol",
    "InstitutionName": "St Hypatia Infirmary",
    "InstitutionAddress": "1 Infirmary Yard",
    "ReferringPhysicianName": "Oxenholme^Perpetua",
    "PerformingPhysicianName": "Varnavides^Cosmo",
    "OperatorsName": "Tidewell^Ione",
    "StationName": "SCANNER-XQ9",
    "DeviceSerialNumber": "SN-6655443",
    "ImageComments": "seen with Zebediah's wife",
    "PatientComments": "allergic to latex",
    "RequestedProcedureDescription": "rule out Quill disease",
}


def header(sop_class=CT_IMAGE, modality="CT", instance=None, syntax=uid.ExplicitVRLittleEndian, **tags):
    """A data set with everything but pixels; tags of None are left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = instance or uid.generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.Modality = modality
    stated = PATIENT | {
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "BodyPartExamined": "CHEST",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    }
    for keyword, value in (stated | tags).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def with_pixels(dataset, values, bits_stored=None):
    """The data set with stored values (height, width) or (frames, height, width), integer, or RGB uint8 (h, w, 3)."""
    values = np.ascontiguousarray(values)
    colour = values.ndim == 3 and values.shape[-1] == 3
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = dataset.get("PhotometricInterpretation") or ("RGB" if colour else "MONOCHROME2")
    if colour:
        dataset.PlanarConfiguration = 0
    elif values.ndim == 3:
        dataset.NumberOfFrames = len(values)
    dataset.Rows, dataset.Columns = values.shape[:2] if colour else values.shape[-2:]
    dataset.BitsAllocated = 8 * values.dtype.itemsize
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated == 8 else "OW"
    return dataset


def content(dataset):
    """The file's bytes."""
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def ct(hounsfield, position=(0.0, 0.0, 0.0), orientation=AXIAL, number=1, intercept=-1024, **tags):
    """Bytes of a CT slice of these Hounsfield units (height, width)."""
    geometry = {"ImagePositionPatient": position, "ImageOrientationPatient": orientation, "InstanceNumber": number}
    geometry = {name: list(value) if isinstance(value, tuple) else value for name, value in geometry.items()}
    dataset = header(**geometry | {"RescaleSlope": 1, "RescaleIntercept": intercept, "RescaleType": "HU"} | tags)
    return content(with_pixels(dataset, np.asarray(hounsfield, np.int32).astype(np.int16) - np.int16(intercept)))


def radiograph(values, **tags):
    """Bytes of a chest radiograph of these stored values."""
    stated = {"ViewPosition": "PA", "ImageType": ["ORIGINAL", "PRIMARY", ""]} | tags
    return content(with_pixels(header(DX_IMAGE, **{"modality": "DX"} | stated), values))


def enhanced_ct(hounsfield, positions, orientation=AXIAL, slope=1.0, intercept=-1024.0, **tags):
    """Bytes of an enhanced CT object: (frames, height, width) in Hounsfield units, one position a frame."""
    dataset = header(ENHANCED_CT, **tags)
    shared, orientation_item, values_item = Dataset(), Dataset(), Dataset()
    orientation_item.ImageOrientationPatient = list(orientation)
    values_item.RescaleSlope, values_item.RescaleIntercept, values_item.RescaleType = slope, intercept, "HU"
    shared.PlaneOrientationSequence = [orientation_item]
    shared.PixelValueTransformationSequence = [values_item]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for position in positions:
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = list(position)
        frame.PlanePositionSequence = [place]
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    stored = (np.asarray(hounsfield) - intercept) / slope
    return content(with_pixels(dataset, np.rint(stored).astype(np.int16)))


def slices(count=5, size=16, spacing=2.5, seed=0, **tags):
    """Bytes of a series of noise; slice i is i tenths brighter, and lies `spacing` mm above the one before."""
    noise = np.random.default_rng(seed).normal(-800, 40, (count, size, size + 4))
    return [
        ct(noise[place] + 60 * place, position=(0.0, 0.0, place * spacing), number=place + 1, **tags)
        for place in range(count)
    ]
