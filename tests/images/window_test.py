from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
from pydicom import pixels
from pydicom.dataset import Dataset
import pytest

from ctcov_tf import errors
from ctcov_tf.images import window
from ctcov_tf.images.window import LUNG, Window

WINDOWS = st.builds(Window, st.floats(-2000, 2000), st.floats(1, 4000))
VALUES = arrays.arrays(np.int16, (3, 5), elements=st.integers(-4096, 4095))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@given(values=VALUES, chosen=WINDOWS)
def test_levels_are_those_of_pydicom(function, values, chosen):
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsStored, dataset.PixelRepresentation = 8, 0  # the range of pydicom's answer: 0 to 255
    dataset.WindowCenter, dataset.WindowWidth = round(chosen.center, 3), max(1, round(chosen.width, 3))
    dataset.VOILUTFunction = function
    with np.errstate(over="ignore"):
        expected = pixels.apply_windowing(values, dataset)
    found = window.grey(values, Window(float(dataset.WindowCenter), float(dataset.WindowWidth)), function)
    assert np.abs(found - expected).max() <= 0.5 + 1e-6


@given(values=VALUES, chosen=WINDOWS)
def test_brighter_stays_brighter(values, chosen):
    order = np.argsort(values, axis=None)
    assert (np.diff(window.grey(values, chosen).ravel()[order].astype(int)) >= 0).all()


def test_the_lung_window_reaches_from_air_to_soft_tissue():
    hounsfield = np.array([-2000, -1350, -975, -600, 149, 1000])
    assert window.grey(hounsfield, LUNG).tolist() == [0, 0, 64, 128, 255, 255]


def test_a_range_is_spread():
    assert window.spread(np.array([-5, 10, 15, 20, 25]), 10, 20).tolist() == [0, 0, 128, 255, 255]
    assert window.spread(np.array([7, 7]), 7, 7).tolist() == [0, 0]


@pytest.mark.parametrize(("center", "width"), [(0, 0), (0, -5), (np.nan, 100), (0, np.inf)])
def test_what_is_no_window_is_refused(center, width):
    with pytest.raises(errors.CtcovError, match="the lung window is -600 1500"):
        Window(center, width)
