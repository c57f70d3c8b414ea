import pathlib

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from pydicom.data import get_testdata_file
import pytest

from ctcov_tf.images import dicom, series, suitability
from ctcov_tf.images.pseudonym import pseudonym
from tests.images import dicom_samples as samples

OTHER = "1.2.826.0.1.3680043.8.498.9"
FLAT = np.full((4, 4), -700.0)


def collect(files, known="CT"):
    return series.collect({f"file {number}": data for number, data in enumerate(files)}, known)


def names(found):
    return [one.name for one in found.slices]


FIVE = samples.slices(5)


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(5)))
def test_shuffled_files_give_the_same_series(order):
    found = series.collect({f"file {number}": FIVE[number] for number in order}, "CT")
    (one,) = found.series
    assert names(one) == [f"file {number}" for number in range(5)]
    assert [slice_.position for slice_ in one.slices] == pytest.approx([0, 2.5, 5, 7.5, 10])
    assert [slice_.instance_number for slice_ in one.slices] == [1, 2, 3, 4, 5]
    assert one.remarks == ()
    assert (one.study, one.series) == (pseudonym(samples.STUDY), pseudonym(samples.SERIES))
    assert (found.skipped, found.unreadable) == ((), ())


@settings(deadline=None, max_examples=30)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.permutations(range(4)))
def test_order_is_along_the_normal_of_a_tilted_gantry(tilt, turn, order):
    row = np.array([np.cos(turn), np.sin(turn), 0])
    down = np.array([-np.sin(turn) * np.cos(tilt), np.cos(turn) * np.cos(tilt), np.sin(tilt)])
    normal = np.cross(row, down)
    places = [np.array([5.0, -3.0, 40.0]) + step * 3 * normal + 7 * step * row for step in range(4)]
    files = [samples.ct(FLAT, tuple(place), [*row, *down], number=9 - step) for step, place in enumerate(places)]
    (one,) = series.collect({f"file {number}": files[number] for number in order}, "CT").series
    assert names(one) == [f"file {number}" for number in range(4)]
    assert np.diff([slice_.position for slice_ in one.slices]) == pytest.approx([3, 3, 3], abs=1e-3)


def test_without_positions_the_instance_number_orders_and_says_so():
    files = [samples.ct(FLAT, number=number, ImagePositionPatient=None) for number in (30, 4, 100)]
    (one,) = collect(files).series
    assert names(one) == ["file 1", "file 0", "file 2"]
    assert one.remarks == (series.BY_NUMBER,)
    assert {slice_.position for slice_ in one.slices} == {None}
    mixed = [*files, samples.ct(FLAT, (0, 0, 1.0), number=1)]
    assert names(collect(mixed).series[0]) == ["file 3", "file 1", "file 0", "file 2"]
    turned = [samples.ct(FLAT, (0, 0, 3.0 - n), [1, 0, 0, 0, np.cos(n / 4), np.sin(n / 4)], number=n) for n in (1, 2)]
    assert names(collect(turned).series[0]) == ["file 0", "file 1"]


def test_without_numbers_too_it_is_the_order_of_the_files():
    files = [samples.ct(FLAT, number=None, ImagePositionPatient=None) for _ in range(3)]
    (one,) = collect(files).series
    assert names(one) == ["file 0", "file 1", "file 2"]
    assert one.remarks == (series.BY_FILE,)


def test_series_and_studies_are_kept_apart():
    thin, thick = samples.slices(3), samples.slices(2, SeriesInstanceUID=OTHER)
    same_series_of_another_study = samples.slices(2, StudyInstanceUID=OTHER)
    found = collect([thin[0], thick[0], same_series_of_another_study[0], *thin[1:], thick[1]])
    assert [(one.study, one.series, len(one.slices)) for one in found.series] == [
        (pseudonym(samples.STUDY), pseudonym(samples.SERIES), 3),
        (pseudonym(samples.STUDY), pseudonym(OTHER), 2),
        (pseudonym(OTHER), pseudonym(samples.SERIES), 1),
    ]


def test_frames_of_one_file_are_ordered():
    data = samples.enhanced_ct(np.stack([FLAT] * 3), [(0, 0, 7.5), (0, 0, 2.5), (0, 0, 5)])
    (one,) = collect([data]).series
    assert [slice_.index for slice_ in one.slices] == [1, 2, 0]


def test_copies_are_left_out():
    files = samples.slices(3)
    (one,) = collect([*files, files[1]]).series
    assert names(one) == ["file 0", "file 1", "file 2"]
    assert one.remarks == ("copies of its images, left out: 1",)


def test_gaps_and_doubles_are_remarked_upon():
    files = samples.slices(8)
    (gap,) = collect([file for number, file in enumerate(files) if number != 3]).series
    assert gap.remarks == ("slices are missing: 5 mm between two, 2.5 mm between most",)
    doubles = [samples.ct(FLAT, (0, 0, place), number=place) for place in (1, 2, 2, 3)]
    assert collect(doubles).series[0].remarks == (series.SAME_PLACE,)


def test_what_is_not_for_the_model_or_damaged_is_set_aside():
    localizer = samples.ct(FLAT, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    damaged = samples.ct(FLAT, number=10**6).replace(b"1000000 ", b"one mill")
    files = samples.slices(2)
    found = collect([localizer, files[0], damaged, files[1], b"text"])
    assert [names(one) for one in found.series] == [["file 1", "file 3"]]
    assert [(error.name, error.reason) for error in found.skipped] == [("file 0", "localizer")]
    assert [str(error)[:6] for error in found.unreadable] == ["file 2", "file 4"]


def test_radiographs_need_no_order():
    film = np.arange(16, dtype=np.uint16).reshape(4, 4)
    (one,) = collect([samples.radiograph(film), samples.radiograph(film)], "CXR").series
    assert (names(one), one.remarks) == (["file 0", "file 1"], ())
    (unknown,) = collect([samples.radiograph(film, BodyPartExamined=None)], "CXR").series
    assert unknown.remarks == (suitability.NO_BODY_PART,)


def test_nothing_of_the_patient_is_in_what_may_be_printed():
    text = repr(collect(samples.slices(2)))
    assert samples.STUDY not in text
    assert not any(value in text for value in samples.PATIENT.values())


def test_real_series():
    folder = pathlib.Path(get_testdata_file("dicomdirtests/98892001/CT5N/2062", download=False)).parent
    found = series.collect({path.name: path for path in sorted(folder.iterdir())}, "CT")
    (one,) = found.series
    positions = [dicom.read_header(folder / name, name).frames[0].position[2] for name in names(one)]
    assert len(positions) == 5
    assert positions == sorted(positions)
