import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.images import decode, dicom, single_frame
from ctcov_tf.images.window import Window
from tests.images import dicom_samples as samples

RAMP = np.arange(-1400, 200, 25).reshape(8, 8)


def test_the_picture_holds_the_files_grey_levels():
    data = samples.ct(RAMP)
    for window in (Window(-600, 1500), Window(0, 400)):
        (grey,) = dicom.grey_frames(data, "slice", window)
        found = decode.decode_grey(single_frame.png(data, "slice", "CT", window=window), "slice")
        np.testing.assert_array_equal(found, grey)


@pytest.mark.parametrize(
    ("data", "given", "complaint"),
    [
        (samples.ct(RAMP), {"known": "CXR"}, "computed tomography"),
        (samples.ct(RAMP), {"max_pixels": 63}, "8 x 8 pixels, the limit is 63"),
        (samples.enhanced_ct(np.stack([RAMP, RAMP]), [(0, 0, 0), (0, 0, 1)]), {}, "2 frames"),
        (samples.ct(RAMP)[:-9], {}, "damaged"),
    ],
    ids=["modality", "pixels", "frames", "cut"],
)
def test_what_is_no_image_for_the_model_is_one_line(data, given, complaint):
    with pytest.raises(errors.CtcovError, match=complaint) as raised:
        single_frame.png(data, "a file", **given)
    assert str(raised.value).startswith("a file: ")
