"""Is this DICOM file an image that a model knows? Refused by name where it is not, in words of this module only."""

from typing import TYPE_CHECKING

from ctcov_tf import errors
from ctcov_tf import modality as modality_lib
from ctcov_tf.modality import Modality

if TYPE_CHECKING:
    from ctcov_tf.images.dicom import Header


class Unsuitable(errors.CtcovError):
    """A DICOM file that is whole, and not for this model.

    Attributes:
      name: what the file is called.
      reason: why, in a few words.
    """

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        """Says why, and what to do.

        Args:
          name: what the file is called.
          reason: why, in a few words.
          remedy: what to name instead.
        """
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}: {remedy}")


_MODALITIES: dict[str, Modality] = {"CT": "CT", "CR": "CXR", "DX": "CXR"}
_MODALITY_NAMES = {
    "CT": "computed tomography (CT)",
    "CR": "computed radiography (CR)",
    "DX": "digital radiography (DX)",
    "MG": "mammography (MG)",
    "MR": "magnetic resonance (MR)",
    "PT": "positron emission tomography (PT)",
    "NM": "nuclear medicine (NM)",
    "US": "ultrasound (US)",
    "XA": "angiography (XA)",
    "RF": "fluoroscopy (RF)",
    "IO": "intra-oral radiography (IO)",
    "PX": "panoramic radiography (PX)",
    "SR": "structured report (SR)",
    "SEG": "segmentation (SEG)",
    "PR": "presentation state (PR)",
    "KO": "key object selection (KO)",
    "RTSTRUCT": "radiotherapy structure set",
    "RTDOSE": "radiotherapy dose",
    "RTPLAN": "radiotherapy plan",
    "DOC": "document",
    "ECG": "electrocardiogram",
    "OT": "other than an imaging modality (OT)",
}
_DIRECTORY = "1.2.840.10008.1.3.10"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_KINDS = {
    "LOCALIZER": "localizer",
    "SCOUT": "localizer",
    "TOPOGRAM": "localizer",
    "SCREEN SAVE": "screen capture",
    "DOSE_INFO": "dose report",
    "DOSE INFO": "dose report",
    "MIP": "projection of several slices",
    "MINIP": "projection of several slices",
    "MIN_IP": "projection of several slices",
    "MAX_IP": "projection of several slices",
    "VOLUME_RENDER": "volume rendering",
}
_CHEST = {"CHEST", "THORAX", "LUNG", "LUNGS", "CHESTABDOMEN", "CHESTABDPELVIS", "CHEST ABDOMEN", "CHEST_ABDOMEN"}
_FOREIGN = {
    "ABDOMEN",
    "ABDOMENPELVIS",
    "ANKLE",
    "ARM",
    "BRAIN",
    "BREAST",
    "CSPINE",
    "ELBOW",
    "EXTREMITY",
    "EYE",
    "FEMUR",
    "FOOT",
    "HAND",
    "HEAD",
    "HEADNECK",
    "HIP",
    "JAW",
    "KIDNEY",
    "KNEE",
    "LEG",
    "LIVER",
    "LSPINE",
    "MAXILLA",
    "NECK",
    "ORBIT",
    "PELVIS",
    "PROSTATE",
    "SHOULDER",
    "SINUS",
    "SKULL",
    "SPINE",
    "TOOTH",
    "WRIST",
}
_LATERAL = {"LL", "RL", "LATERAL", "LLD", "RLD", "LAT"}
_AXIAL = 0.7  # least share of the body's axis in a slice's normal: up to 45 degrees from it

NO_BODY_PART = "the body part is not stated, or none that is known here: held to be the chest"
FOUND_MODALITY = "the modality is not stated: taken from the kind of object"
NO_MODALITY = "the model does not say which modality it knows"


def check(header: "Header", known: Modality | None, name: str) -> None:
    """Holds a DICOM file to what a model knows.

    Args:
      header: what the file says.
      known: the model's modality; None where it does not say.
      name: what to call the file.

    Raises:
      Unsuitable: it is no image, of another modality or body part, a localizer, a capture, in colour, not axial,
        lateral, or has identifying text in its pixels.
    """
    another = "name the chest images themselves"
    if header.sop_class == _DIRECTORY:
        raise Unsuitable(name, "directory of a DICOM medium (DICOMDIR)", "name the folder that it stands in")
    found = _MODALITIES.get(header.modality)
    if found is None or (known and found != known):
        is_for = f"this model knows {modality_lib.NAMES[known]}" if known else "models here know chest images"
        raise Unsuitable(name, f"{_MODALITY_NAMES.get(header.modality, 'modality not known here')}, {is_for}", another)
    if (header.sop_class + ".").startswith(_SECONDARY_CAPTURE + "."):
        raise Unsuitable(name, "secondary capture", another)
    for word in header.image_type:
        if word in _KINDS:
            raise Unsuitable(name, _KINDS[word], another)
    if not header.height * header.width:
        raise Unsuitable(name, "holds no image", another)
    if header.samples != 1 or header.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise Unsuitable(name, "colour image", "name the grey image that it was made of")
    if header.intent == "FOR PROCESSING":
        raise Unsuitable(name, "for processing, not to be looked at", "name the image made of it for presentation")
    if header.burned_in:
        raise Unsuitable(name, "identifying text in its pixels (burned-in annotation)", "name the image without it")
    if header.body_part in _FOREIGN:
        raise Unsuitable(name, f"body part {header.body_part}, this model knows the chest", another)
    if found == "CXR" and header.view in _LATERAL:
        raise Unsuitable(name, "lateral view, this model knows frontal radiographs", "name the frontal one")
    if found == "CT" and not _axial(header):
        raise Unsuitable(name, "not axial, this model knows axial slices", "name the axial series")


def remarks(header: "Header", known: Modality | None) -> list[str]:
    """What should be said of a file that was let pass."""
    found = [] if header.states_modality else [FOUND_MODALITY]
    found += [] if header.body_part in _CHEST else [NO_BODY_PART]
    return found if known else [*found, NO_MODALITY]


def _axial(header: "Header") -> bool:
    """Whether every slice whose orientation is stated lies across the body's axis."""
    for frame in header.frames:
        if frame.orientation:
            right_x, right_y, _, down_x, down_y, _ = frame.orientation
            if abs(right_x * down_y - right_y * down_x) < _AXIAL:
                return False
    return True
