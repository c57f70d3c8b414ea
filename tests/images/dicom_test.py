import io
import logging
import os
import types

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pydicom
from pydicom import encaps, pixels, uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
import pytest

from ctcov_tf import errors
from ctcov_tf.images import dicom
from ctcov_tf.images.window import Window
from tests.images import dicom_samples as samples

RAMP = np.linspace(-1400, 200, 40 * 48).reshape(40, 48)


def real(name):
    """A file that pydicom brings; nothing is downloaded."""
    path = get_testdata_file(name, download=False)
    assert path, f"{name} is not in the installed pydicom"
    return pydicom.filebase.DicomFileLike and open(path, "rb").read()


def tag(keyword):
    """The bytes of a tag, little endian."""
    found = pydicom.tag.Tag(keyword)
    return found.group.to_bytes(2, "little") + found.element.to_bytes(2, "little")


def grey(data, **given):
    return list(dicom.grey_frames(data, "it", **given))


def changed(data, **tags):
    """The file with other values; those of None are deleted."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in tags.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return samples.content(dataset)


def test_hounsfield_units_go_through_the_lung_window():
    (found,) = grey(samples.ct(RAMP))
    expected = np.clip((RAMP.astype(int) + 1350) / 1500, 0, 1) * 255
    assert np.abs(found - expected).max() <= 1
    (soft,) = grey(samples.ct(RAMP), window=Window(40, 400))
    assert soft[RAMP < -160].max() == 0
    assert np.ptp(soft[RAMP > -100]) > 100


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (0.5, 0), (2, -2048), (-1, 100)])
def test_parity_with_pydicom(slope, intercept):
    stored = np.random.default_rng(0).integers(-2000, 2000, (9, 8), dtype=np.int16)
    dataset = samples.header(RescaleSlope=slope, RescaleIntercept=intercept)
    samples.with_pixels(dataset, stored)
    (found,) = grey(samples.content(dataset))
    _equal_pydicom(found, dataset, stored)


@pytest.mark.parametrize("name", ["CT_small.dcm", "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_parity_with_pydicom_on_real_ct(name):
    dataset = pydicom.dcmread(io.BytesIO(real(name)))
    (found,) = grey(real(name))
    _equal_pydicom(found, dataset, dataset.pixel_array)


def _equal_pydicom(found, dataset, stored):
    hounsfield = pixels.apply_modality_lut(stored, dataset)
    shown = Dataset()
    shown.PhotometricInterpretation, shown.BitsStored, shown.PixelRepresentation = "MONOCHROME2", 8, 0
    shown.WindowCenter, shown.WindowWidth = -600, 1500
    assert np.abs(found - pixels.apply_windowing(hounsfield, shown)).max() <= 0.5 + 1e-6


def test_the_files_own_window_plays_no_part_for_ct():
    np.testing.assert_array_equal(grey(samples.ct(RAMP, WindowCenter=40, WindowWidth=80)), grey(samples.ct(RAMP)))


def test_monochrome1_is_inverted():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for make in samples.radiograph, lambda values, **tags: samples.ct(values * 5.0 - 1200, **tags):
        (plain,) = grey(make(values))
        (inverted,) = grey(make(values, PhotometricInterpretation="MONOCHROME1"))
        np.testing.assert_array_equal(inverted, 255 - plain)
        assert np.ptp(plain) > 200


def test_a_radiograph_is_shown_as_its_file_says():
    values = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)
    (whole,) = grey(samples.radiograph(values))
    np.testing.assert_allclose(whole, values / 4080 * 255, atol=0.5)
    (windowed,) = grey(samples.radiograph(values, WindowCenter=[2048, 9], WindowWidth=[1024, 9]))
    assert windowed[values < 1500].max() == 0
    assert windowed[values > 2600].min() == 255
    (steep,) = grey(samples.radiograph(values, WindowCenter=2048, WindowWidth=1024, VOILUTFunction="SIGMOID"))
    assert 0 < steep[6, 0] < 255
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4096, 0, 16], [(4095 - value) * 16 for value in range(4096)]
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    (looked_up,) = grey(samples.radiograph(values, VOILUTSequence=[lut]))
    np.testing.assert_allclose(looked_up, (4095 - values) * 16 / 65520 * 255, atol=0.5)


def test_padding_around_a_radiograph_does_not_dim_it():
    values = np.full((8, 8), 1000, np.uint16)
    values[2:6, 2:6] = np.linspace(2000, 3000, 16).reshape(4, 4)
    values[0] = 65535
    (found,) = grey(samples.radiograph(values, PixelPaddingValue=65535))
    assert found[5, 5] == 255
    assert found[1, 0] == 0


def test_frames_of_an_enhanced_ct():
    volume = np.stack([RAMP, RAMP + 300, RAMP - 300])
    data = samples.enhanced_ct(volume, [(0, 0, 7.5), (0, 0, 5), (0, 0, 2.5)], slope=0.5, intercept=-1024)
    header = dicom.read_header(data, "it")
    assert [frame.position for frame in header.frames] == [(0, 0, 7.5), (0, 0, 5), (0, 0, 2.5)]
    assert {frame.orientation for frame in header.frames} == {(1, 0, 0, 0, 1, 0)}
    assert {(frame.slope, frame.intercept) for frame in header.frames} == {(0.5, -1024)}
    for found, values in zip(grey(data), volume, strict=True):
        np.testing.assert_allclose(found, np.clip((values + 1350) / 1500, 0, 1) * 255, atol=1)


def test_header_of_a_slice():
    header = dicom.read_header(samples.ct(RAMP, position=(1, 2, 3), number=7, BodyPartExamined="CHEST"), "it")
    assert (header.modality, header.body_part, header.instance_number) == ("CT", "CHEST", 7)
    assert (header.height, header.width, header.samples, header.bits) == (40, 48, 1, 16)
    assert header.frames == (dicom.Frame((1, 2, 3), (1, 0, 0, 0, 1, 0), 1, -1024, "HU"),)
    assert (header.study, header.series) == (samples.STUDY, samples.SERIES)
    assert samples.STUDY not in repr(header)


@pytest.mark.parametrize("missing", ["ImagePositionPatient", "InstanceNumber", "BodyPartExamined", "ImageType"])
def test_what_is_optional_may_be_missing_or_empty(missing):
    full = samples.ct(RAMP)
    for data in changed(full, **{missing: None}), changed(full, **{missing: ""}):
        assert dicom.read_header(data, "it").frames[0].slope == 1
        np.testing.assert_array_equal(grey(data), grey(full))


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_one_image_in_every_lossless_transfer_syntax(name):
    np.testing.assert_array_equal(grey(real(name)), grey(real("MR_small.dcm")))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
def test_compressed_series_of_frames(syntax):
    volume = np.random.default_rng(0).normal(-700, 200, (3, 48, 64)).round()
    plain = samples.enhanced_ct(volume, [(0, 0, place) for place in range(3)])
    dataset = pydicom.dcmread(io.BytesIO(plain))
    dataset.compress(syntax)
    np.testing.assert_array_equal(grey(samples.content(dataset)), grey(plain))


def test_lossy_jpeg_radiograph_and_deflated_file():
    values = np.uint8(np.add.outer(np.arange(32), np.arange(48)) * 3)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=95)
    dataset = pydicom.dcmread(io.BytesIO(samples.radiograph(values)))
    dataset.PixelData = encaps.encapsulate([file.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    np.testing.assert_allclose(grey(samples.content(dataset))[0], values / values.max() * 255, atol=5)
    assert grey(real("image_dfl.dcm"))[0].shape == (512, 512)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a DICOM file"),
        (b"\x89PNG" + bytes(200), "not a DICOM file"),
        (bytes(128) + b"DICM", "states no transfer syntax"),
        (real("meta_missing_tsyntax.dcm"), "states no transfer syntax"),
        (real("MR_truncated.dcm"), "damaged DICOM file"),
        (real("rtplan.dcm"), "holds no image"),
        (real("examples_rgb_color.dcm"), "colour image"),
        (real("liver_1frame.dcm"), "neither 8, 16 nor 32 bits"),
        (changed(samples.ct(RAMP), RescaleSlope=None), "no rescale slope and intercept"),
        (changed(samples.ct(RAMP), RescaleSlope=0), "no rescale slope and intercept"),
        (changed(samples.ct(RAMP), RescaleType="MGML"), "something else than Hounsfield units"),
        (changed(samples.ct(RAMP), RescaleIntercept=""), "no rescale slope and intercept"),
        (changed(samples.ct(RAMP), Rows=65535, Columns=65535), "over the limit of 40,000,000 pixels"),
        (changed(samples.ct(RAMP), Rows=4000, Columns=4000, NumberOfFrames=1000), "limit of 2,147,483,648 pixels"),
        (changed(samples.ct(RAMP), NumberOfFrames=10**9), "over the limit of 4,000 frames"),
        (changed(samples.ct(RAMP), NumberOfFrames=-1), "states no frame"),
        (changed(samples.ct(RAMP), NumberOfFrames=3), "damaged DICOM file"),
        (changed(samples.ct(RAMP), Rows=41), "damaged DICOM file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_one_line(data, complaint):
    with pytest.raises(errors.CtcovError, match=rf"^it: .*{complaint}.*: ") as caught:
        grey(data)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_one_over_the_limit(tmp_path):
    with pytest.raises(errors.CtcovError, match="No such file"):
        dicom.read_header(tmp_path / "none.dcm", "none.dcm")
    (tmp_path / "big.dcm").write_bytes(samples.ct(RAMP))
    for source in tmp_path / "big.dcm", samples.ct(RAMP):
        with pytest.raises(errors.CtcovError, match="over the limit of 1,000 bytes"):
            dicom.read_header(source, "big.dcm", dicom.Limits(bytes=1000))


def test_a_deflated_file_is_not_inflated_beyond_the_limit():
    plain = samples.ct(RAMP, ImageComments="A" * 9_000)
    dataset = pydicom.dcmread(io.BytesIO(plain))
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    deflated = samples.content(dataset)
    np.testing.assert_array_equal(grey(deflated), grey(plain))
    assert len(deflated) < 4000 < len(plain)
    for read in dicom.read_header, lambda *given: next(dicom.grey_frames(*given[:2], limits=given[2])):
        with pytest.raises(errors.CtcovError, match="inflates to over the limit of 4,000 bytes"):
            read(deflated, "it", dicom.Limits(bytes=4000))


def group_items(count, frames, syntax=uid.ExplicitVRLittleEndian):
    """A slice whose shared functional groups hold many empty items, and which states many frames."""
    dataset = pydicom.dcmread(io.BytesIO(samples.ct(RAMP, NumberOfFrames=frames)))
    empty = pydicom.Dataset()
    groups = pydicom.Dataset()
    groups.PlanePositionSequence = [empty] * count
    dataset.SharedFunctionalGroupsSequence = [groups]
    dataset.PerFrameFunctionalGroupsSequence = [empty] * frames
    dataset.file_meta.TransferSyntaxUID = syntax
    return samples.content(dataset)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_items_are_counted_before_they_are_parsed(syntax, monkeypatch):
    data = group_items(dicom.LIMITS.items, 1, syntax)
    monkeypatch.setattr(pydicom, "dcmread", lambda *_, **__: pytest.fail("was parsed"))
    with pytest.raises(errors.CtcovError, match=r"^it: holds sequences over the limit of 60,000 items: "):
        dicom.read_header(data, "it")


def test_the_time_for_groups_grows_with_items_and_not_with_items_times_frames():
    calls = 0

    class Counting(pydicom.Dataset):
        def get(self, *given, **named):
            nonlocal calls
            calls += 1
            return super().get(*given, **named)

    def counted(frames):
        nonlocal calls
        calls = 0
        dataset, empty, groups = Counting(), Counting(), Counting()
        groups.PlanePositionSequence = [empty] * 100
        dataset.SharedFunctionalGroupsSequence = [groups]
        dataset.PerFrameFunctionalGroupsSequence = [Counting() for _ in range(frames)]
        dicom._frames(dataset, frames, "it")
        return calls

    few, many = counted(10), counted(100)
    assert many - few < 20 * 90


def test_a_text_of_a_megabyte_is_refused_before_it_is_split():
    data = samples.ct(RAMP, syntax=uid.ImplicitVRLittleEndian, WindowCenter="1\\" * 200_000 + "1")
    with pytest.raises(errors.CtcovError, match="damaged DICOM file"):
        list(dicom.grey_frames(data, "it"))


def test_a_pipe_and_a_device_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in "pipe", "link":
        with pytest.raises(errors.CtcovError, match="not a regular file"):
            dicom.read_header(tmp_path / name, name)


def test_a_frame_that_states_another_size_is_not_decoded(monkeypatch):
    dataset = pydicom.dcmread(io.BytesIO(samples.ct(RAMP)))
    dataset.compress(uid.JPEG2000Lossless)
    whole = samples.content(dataset)
    place = whole.index(b"\xff\x4f\xff\x51") + 8
    huge = whole[:place] + b"\x00\x00\xff\xff\x00\x00\xff\xff" + whole[place + 8 :]
    monkeypatch.setattr(pixels.decoders.base.DecodeRunner, "_decode_frame", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(errors.CtcovError, match="another size than the file states"):
        grey(huge)


def test_a_box_without_length_does_not_hang():
    dataset = pydicom.dcmread(io.BytesIO(samples.ct(RAMP)))
    dataset.PixelData = encaps.encapsulate([b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(64)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    with pytest.raises(errors.CtcovError, match="another size than the file states"):
        grey(samples.content(dataset))


def test_a_transfer_syntax_that_cannot_be_decoded_is_named(monkeypatch):
    dataset = pydicom.dcmread(io.BytesIO(samples.ct(RAMP)))
    dataset.compress(uid.RLELossless)
    data = bytearray(samples.content(dataset))
    place = data.index(uid.RLELossless.encode())
    for syntax, complaint in ((b"1.2.840.10008.1.2.9", "not known here"), (b"1.2.3.4.5", "not known here")):
        other = data[:place] + syntax.ljust(len(uid.RLELossless), b"\0") + data[place + len(uid.RLELossless) :]
        with pytest.raises(errors.CtcovError, match=complaint):
            grey(bytes(other))
    monkeypatch.setattr(pixels, "get_decoder", lambda syntax: types.SimpleNamespace(is_available=False))
    with pytest.raises(errors.CtcovError, match=r"RLE Lossless: cannot be decoded here: .*ctcov\[dicom\]"):
        grey(bytes(data))


def test_nested_sequences_without_end_are_one_line():
    item = b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    start = samples.content(samples.header())
    with pytest.raises(errors.CtcovError, match=r"^it: damaged DICOM file"):
        grey(start + item * 5000)


SOURCES = {
    "ct": samples.ct(RAMP),
    "enhanced": samples.enhanced_ct(np.stack([RAMP, RAMP]), [(0, 0, 0), (0, 0, 1)]),
    "radiograph": samples.radiograph(np.arange(256, dtype=np.uint16).reshape(16, 16), WindowCenter=9, WindowWidth=20),
    "jpeg 2000": real("MR_small_jp2klossless.dcm"),
    "jpeg-ls": real("MR_small_jpeg_ls_lossless.dcm"),
    "jpeg": real("JPGExtended.dcm"),
    "rle": real("MR_small_RLE.dcm"),
    "implicit": real("MR_small_implicit.dcm"),
    "big endian": real("MR_small_bigendian.dcm"),
    "deflated": real("image_dfl.dcm"),
}


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 12), cut=st.booleans())
def test_damage_gives_an_image_or_one_line(name, seed, changes, cut):
    generator = np.random.default_rng(seed)
    data = bytearray(SOURCES[name])
    reach = len(data) if generator.integers(2) else min(len(data), 2000)  # as often the header as anywhere
    for _ in range(changes):
        data[generator.integers(132, reach)] = generator.choice([0, 255, generator.integers(256)])
    if cut:
        del data[generator.integers(132, len(data)) :]
    found, complaint = outcome(bytes(data))
    assert all(image.dtype == np.uint8 and image.ndim == 2 for image in found)
    assert found or complaint.startswith("it: ")
    assert "\n" not in complaint
    assert not any(value in complaint for value in samples.PATIENT.values())


def outcome(data):
    """The frames before the first complaint, and the complaint."""
    found = []
    try:
        dicom.read_header(data, "it")
        for image in dicom.grey_frames(data, "it"):
            found.append(image)
    except errors.CtcovError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("keyword", ["InstanceNumber", "RescaleSlope", "ImagePositionPatient", "NumberOfFrames"])
def test_a_value_that_cannot_be_read_is_not_quoted(keyword, caplog, recwarn, capfd):
    value = "Zebediah"
    frames = {"NumberOfFrames": "10000000"} if keyword == "NumberOfFrames" else {}
    data = samples.ct(RAMP, number="20000000", RescaleSlope="30000000", **frames)
    data = changed(data, ImagePositionPatient=["40000000", "1", "2"])
    place = data.index(b"0000000", data.index(tag(keyword))) - 1
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.CtcovError) as caught:
        grey(data[:place] + value.encode() + data[place + len(value) :])
    assert "ValueError" in str(caught.value)
    assert caught.value.__cause__ is None
    said = [str(caught.value), caplog.text, *(str(warning.message) for warning in recwarn), *capfd.readouterr()]
    assert not any(value in text for text in said)


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_decoders_do_not_talk(name, capfd, caplog):
    data = real(name)
    with pytest.raises(errors.CtcovError):
        grey(data[:-3000] + bytes(3000))
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def with_lut(values, entries, bits, data, keyword="VOILUTSequence", **more):
    """A film with a look-up table as a maker stores it."""
    lut = pydicom.Dataset()
    lut.LUTDescriptor = [entries, 0, bits]
    lut.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return samples.radiograph(values, **{keyword: [lut]}, **more)


TABLE = np.arange(256) * 16


@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize(
    ("bits", "data"),
    [
        (16, TABLE.astype("<u2").tobytes()),
        (12, TABLE.astype("<u2").tobytes()),
        (10, [int(level) for level in TABLE]),
        (8, (TABLE // 16).astype("u1").tobytes()),
        (8, (TABLE // 16).astype("<u2").tobytes()),
    ],
)
def test_a_table_is_applied_whatever_bits_it_states(keyword, bits, data):
    """Its largest entry is white, although the table states room for more."""
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    (found,) = grey(with_lut(values, 256, bits, data, keyword))
    np.testing.assert_array_equal(found, values)


def test_a_table_that_is_cut_is_damage():
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    with pytest.raises(errors.CtcovError, match="damaged DICOM file"):
        grey(with_lut(values, 256, 16, TABLE[:100].astype("<u2").tobytes()))


@pytest.mark.parametrize("limit", [False, True])
def test_padding_around_a_scan_is_black(limit):
    values = np.full((8, 8), -600)
    values[0], values[1] = 2000, 1950 if limit else 2000
    dataset = pydicom.dcmread(io.BytesIO(samples.ct(values)))
    first, second = (int(row[0]) for row in dataset.pixel_array[:2])
    (plain,) = grey(samples.content(dataset))
    assert (plain[:2] == 255).all()
    dataset.add_new("PixelPaddingValue", "SS" if dataset.PixelRepresentation else "US", first)
    if limit:
        dataset.add_new("PixelPaddingRangeLimit", "SS" if dataset.PixelRepresentation else "US", second)
    (found,) = grey(samples.content(dataset))
    assert (found[:2] == 0).all()
    np.testing.assert_array_equal(found[2:], plain[2:])


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_of_a_film_plays_no_part_and_is_black(photometric):
    values = np.tile(np.arange(100, dtype=np.uint16), (4, 1))
    values[:, :10] = 4094
    values[:, 10:20] = 4095
    data = samples.radiograph(
        values, PixelPaddingValue=4095, PixelPaddingRangeLimit=4094, PhotometricInterpretation=photometric
    )
    (found,) = grey(data)
    assert (found[:, :20] == 0).all()
    assert sorted((found[0, 20], found[0, 99])) == [0, 255]


@pytest.mark.parametrize(("function", "applies"), [("LINEAR_EXACT", True), ("SIGMOID", True), ("LINEAR", False)])
def test_a_window_narrower_than_one_is_a_window_where_the_standard_says_so(function, applies):
    values = np.arange(256, dtype=np.uint16).reshape(16, 16)
    more = {"RescaleSlope": 1 / 256, "RescaleIntercept": 0, "VOILUTFunction": function}
    (found,) = grey(samples.radiograph(values, WindowCenter="0.25", WindowWidth="0.5", **more))
    assert (found[8:].min() > 220) == applies


@pytest.mark.parametrize("word", ["HU", "HU_MOD", "HOUNSFIELD", "H.U.", "hu"])
def test_words_for_hounsfield_units(word):
    assert len(grey(samples.ct(RAMP, RescaleType=word))) == 1


def test_a_missing_modality_is_that_of_the_kind_of_object():
    film = changed(samples.radiograph(np.arange(256, dtype=np.uint16).reshape(16, 16)), Modality=None)
    header = dicom.read_header(film, "it")
    assert header.modality in ("CR", "DX")
    assert not header.states_modality
