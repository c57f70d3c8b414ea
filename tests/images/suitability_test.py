import io

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
import pytest

from ctcov_tf import errors
from ctcov_tf.images import dicom, suitability
from tests.images import dicom_samples as samples

RAMP = np.linspace(-1400, 200, 64).reshape(8, 8)
FILM = np.arange(64, dtype=np.uint16).reshape(8, 8)


def header(data):
    return dicom.read_header(data, "it")


def test_chest_images_are_let_pass():
    suitability.check(header(samples.ct(RAMP)), "CT", "it")
    suitability.check(header(samples.radiograph(FILM)), "CXR", "it")
    suitability.check(header(samples.radiograph(FILM, modality="CR")), "CXR", "it")
    suitability.check(header(samples.ct(RAMP)), None, "it")
    suitability.check(header(samples.radiograph(FILM)), None, "it")
    prone = [-1, 0, 0, 0, -1, 0]
    suitability.check(header(samples.ct(RAMP, orientation=prone)), "CT", "it")


@pytest.mark.parametrize(
    ("data", "known", "reason"),
    [
        (samples.radiograph(FILM), "CT", r"digital radiography \(DX\), this model knows chest CT"),
        (samples.radiograph(FILM, modality="CR"), "CT", r"computed radiography \(CR\), this model knows chest CT"),
        (samples.radiograph(FILM, modality="MG"), "CT", r"mammography \(MG\), this model knows chest CT"),
        (samples.radiograph(FILM, modality="MG"), "CXR", r"mammography \(MG\), this model knows chest radiographs"),
        (samples.ct(RAMP), "CXR", r"computed tomography \(CT\), this model knows chest radiographs"),
        (samples.ct(RAMP, modality="MR"), None, r"magnetic resonance \(MR\), models here know chest images"),
        (samples.ct(RAMP, modality="QUILL"), "CT", "modality not known here, this model knows chest CT"),
        (samples.ct(RAMP, BodyPartExamined="HEAD"), "CT", "body part HEAD, this model knows the chest"),
        (samples.ct(RAMP, BodyPartExamined="ABDOMEN"), "CT", "body part ABDOMEN"),
        (samples.ct(RAMP, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "CT", "localizer"),
        (samples.ct(RAMP, ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"]), "CT", "projection of several slices"),
        (samples.ct(RAMP, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), "CT", "screen capture"),
        (samples.ct(RAMP, sop_class=samples.SECONDARY_CAPTURE), "CT", "secondary capture"),
        (samples.ct(RAMP, sop_class=samples.SECONDARY_CAPTURE + ".2"), "CT", "secondary capture"),
        (samples.ct(RAMP, BurnedInAnnotation="YES"), "CT", "identifying text in its pixels"),
        (samples.ct(RAMP, orientation=[0, 1, 0, 0, 0, -1]), "CT", "not axial"),
        (samples.ct(RAMP, orientation=[1, 0, 0, 0, 0, -1]), "CT", "not axial"),
        (samples.radiograph(FILM, ViewPosition="LL"), "CXR", "lateral view"),
        (samples.content(samples.with_pixels(samples.header(), np.zeros((4, 5, 3), np.uint8))), "CT", "colour image"),
        (samples.content(samples.header()), "CT", "holds no image"),
    ],
)
def test_everything_else_is_refused_by_name(data, known, reason):
    with pytest.raises(suitability.Unsuitable, match=f"^it: {reason}.*: name ") as caught:
        suitability.check(header(data), known, "it")
    assert caught.value.name == "it"
    assert isinstance(caught.value, errors.CtcovError)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DICOMDIR", "directory of a DICOM medium"),
        ("test-SR.dcm", "structured report"),
        ("rtstruct.dcm", "not a DICOM file"),
        ("rtdose.dcm", "radiotherapy dose"),
        ("liver_1frame.dcm", "segmentation"),
        ("MR_small.dcm", "magnetic resonance"),
        ("77654033/CT2/17106", "body part HEAD"),
        ("98892001/CT5N/2062", None),
    ],
)
def test_real_files(name, reason):
    path = get_testdata_file(f"dicomdirtests/{name}" if name[0] in "789D" else name, download=False)
    with open(path, "rb") as file:
        data = file.read()
    if reason is None:
        suitability.check(header(data), "CT", "it")
        return
    with pytest.raises(errors.CtcovError, match=reason):
        suitability.check(header(data), "CT", "it")


def test_words_of_the_file_are_never_repeated():
    secret = "QUILLFEATHER"
    for tags in (
        {"modality": secret},
        {"BodyPartExamined": secret},
        {"ImageType": [secret, secret, secret]},
        {"ViewPosition": secret, "modality": "DX"},
        {"PhotometricInterpretation": secret},
    ):
        found = header(samples.ct(RAMP, **tags))
        said = suitability.remarks(found, "CT")
        try:
            suitability.check(found, "CT", "it")
        except suitability.Unsuitable as error:
            said.append(str(error))
        assert secret not in "".join(said)
    assert pydicom.dcmread(io.BytesIO(samples.ct(RAMP, BodyPartExamined=secret))).BodyPartExamined == secret


def test_an_unknown_body_part_is_remarked_upon():
    assert suitability.remarks(header(samples.ct(RAMP)), "CT") == []
    for part in None, "", "TRUNK":
        found = header(samples.ct(RAMP, BodyPartExamined=part))
        suitability.check(found, "CT", "it")
        assert suitability.remarks(found, "CT") == [suitability.NO_BODY_PART]
    assert suitability.remarks(header(samples.ct(RAMP)), None) == [suitability.NO_MODALITY]


def test_a_missing_modality_is_remarked_and_raw_films_are_refused():
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    header = dicom.read_header(samples.radiograph(values, Modality=""), "film")
    suitability.check(header, "CXR", "film")
    assert suitability.FOUND_MODALITY in suitability.remarks(header, "CXR")
    raw = dicom.read_header(samples.radiograph(values, PresentationIntentType="FOR PROCESSING"), "film")
    with pytest.raises(suitability.Unsuitable, match="for processing, not to be looked at"):
        suitability.check(raw, "CXR", "film")
