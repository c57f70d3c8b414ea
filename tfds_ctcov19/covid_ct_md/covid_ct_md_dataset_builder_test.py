import io
import os
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from tests.images import dicom_samples
from tfds_ctcov19 import scans, testing
from tfds_ctcov19.covid_ct_md import covid_ct_md_dataset_builder, studies
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.image_files import UnreadableImageError
from tfds_ctcov19.records import Record

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class CovidCtMdTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = covid_ct_md_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "labels"
    BUILDER_CONFIG_NAMES_TO_TEST = ["by_patient"]  # noqa: RUF012
    SPLITS = {"train": 6, "validation": 6, "test": 6}  # noqa: RUF012


class CovidCtMdTestOnlyTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = covid_ct_md_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "labels"
    BUILDER_CONFIG_NAMES_TO_TEST = ["test_only"]  # noqa: RUF012
    SPLITS = {"test": 18}  # noqa: RUF012


@pytest.fixture
def labels(tmp_path):
    """A copy of the listed scans that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "labels", tmp_path / "archive"))


def build(folder, config="by_patient", data_dir="built"):
    return testing.build(covid_ct_md_dataset_builder.Builder, folder, config, data_dir)


def rows_of(builder):
    return {
        example["image_id"].decode(): {**example, "split": split}
        for split in builder.info.splits
        for example in builder.as_dataset(
            split=split, decoders={"image": tfds.decode.SkipDecoding()}
        ).as_numpy_iterator()
    }


def test_listed_scans(labels):
    rows = rows_of(build(labels))
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    row = rows["P002/0001.dcm"]
    assert (row["group_id"], row["slice"], row["position"], row["infection"]) == (b"P002", 1, -98.0, 1)
    assert (row["age"], row["sex"], row["file_format"], row["mode"]) == (39, b"M", b"PNG", b"L")
    assert {row["infection"] for row in rows.values() if row["label"] == 2} == {-1}
    assert {row["lesions"] for row in rows.values() if row["label"] == 2} == {b"none"}
    assert {row["lesions"] for row in rows.values() if row["label"] != 2} == {b""}
    assert not any(row["lesion_mask"].any() for row in rows.values())


def test_one_scan_a_class_is_for_tests_alone(labels):
    table = labels / "labels.csv"
    kept = [line for line in table.read_text().splitlines() if "002" not in line and "003" not in line]
    table.write_text("\n".join(kept) + "\n")
    with pytest.raises(DatasetError, match=r"1 patients of class covid19.*build covid_ct_md/test_only"):
        build(labels)
    builder = build(labels, "test_only")
    assert {row["split"] for row in rows_of(builder).values()} == {"test"}
    assert testing.report_of(builder)["groups"] == {"test": 3}


SLICES = 4


@pytest.fixture
def published(tmp_path):
    """Three patients a class as published, their slices named against their order, and what else lies there."""
    rng, folder = np.random.default_rng(0), tmp_path / "archive"
    for place, prefix in ("COVID-19 subjects", "P"), ("Cap Cases", "cap"), ("Normal subjects", "normal"):
        for number in range(1, 4):
            for index in range(SLICES):
                height = -50.0 + 2 * index
                path = folder / place / f"{prefix}{number:03}" / f"IM{SLICES - index}.dcm"
                path.parent.mkdir(parents=True, exist_ok=True)
                values = rng.integers(-1300, 100, (8, 8))
                path.write_bytes(dicom_samples.ct(values, position=(0.0, 0.0, height), SliceLocation=str(height)))
    patient = folder / "COVID-19 subjects" / "P001"
    values = rng.integers(-1300, 100, (8, 8))
    (patient / "scout.dcm").write_bytes(dicom_samples.ct(values, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    (patient / "coronal.dcm").write_bytes(dicom_samples.ct(values, orientation=[1, 0, 0, 0, 0, -1]))
    (patient / "other.dcm").write_bytes(dicom_samples.ct(values, SeriesInstanceUID="1.2.3"))
    (patient / "torn.dcm").write_bytes(b"no file")
    (folder / "Index.csv").write_text(
        "Label Index,Diagnosis,Relative Path,Folder/ID\n0,COVID-19,./COVID-19/,P001\n2,CAP,./CAP/,cap002\n"
    )
    np.save(folder / "Slice-level-labels.npy", np.array([[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]], np.uint8))
    return folder


def test_scans_as_published(published):
    builder = build(published)
    rows = rows_of(builder)
    assert len(rows) == 3 * 3 * SLICES
    reasons = {one["file"].rpartition("/")[2]: one["reason"] for one in testing.report_of(builder)["dropped"]}
    assert reasons.pop("torn.dcm").startswith("unreadable")
    assert reasons == {
        "scout.dcm": "no CT slice",
        "coronal.dcm": "no axial slice",
        "other.dcm": "of a series of fewer slices",
    }
    order = sorted((row for name, row in rows.items() if name.startswith("P001/")), key=lambda row: row["slice"])
    assert [row["position"] for row in order] == [-50.0, -48.0, -46.0, -44.0]
    assert [row["infection"] for row in order] == [0, 1, 1, 0]
    assert rows["P001/IM3.dcm"]["infection"] == 1, "names do not tell the order"
    assert rows["cap002/IM4.dcm"]["infection"] == 1, "the row after a number that was left out"
    assert {row["infection"] for name, row in rows.items() if name.startswith(("P002", "normal"))} == {-1}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 5), np.uint8), r"shape \(3, 5\), and 2 patients in Index\.csv"),
        (np.zeros((2, 3), np.uint8), r"4 slices, and 3 labels of slices"),
    ],
)
def test_labels_that_do_not_go_with_the_scans_are_refused(published, array, message):
    np.save(published / "Slice-level-labels.npy", array)
    with pytest.raises(DatasetError, match=message):
        build(published)


def test_slices_go_through_the_lung_window():
    values = np.array([[-2000, -1350, -600], [149, 150, 3000]])
    shown = np.asarray(PIL.Image.open(io.BytesIO(scans.ct_png(dicom_samples.ct(values)))))
    np.testing.assert_array_equal(shown, [[0, 0, 128], [255, 255, 255]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dicom_samples.ct(np.zeros((4, 4)), RescaleSlope=None), "no Hounsfield units"),
        (dicom_samples.ct(np.full((4, 4), -2000)), "one grey level alone"),
        (dicom_samples.ct(np.zeros((2, 4, 4))), "no single grey slice"),
        (dicom_samples.ct(np.eye(4))[:-8], "bytes"),
        (b"no file", "DICOM"),
    ],
)
def test_what_is_no_slice_is_unreadable(data, message):
    with pytest.raises(UnreadableImageError, match=message):
        scans.ct_png(data)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class,", "kind,", "no column class"),
        ("0000.dcm,covid19", "0000.dcm,covid", "unknown class covid"),
        ("P001/0000.dcm", "P001/none.dcm", r"listed in labels\.csv and not there"),
        ("P001,0,-100.0", "P001,0,low", "low is no position"),
    ],
)
def test_damaged_tables_are_refused_in_one_line(labels, old, new, message):
    table = labels / "labels.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        build(labels)


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_the_real_folder_is_listed_whole():
    listed = list(studies.read_labels(pathlib.Path(os.environ["CTCOV_TEST_DATA"]) / "ct_studies"))
    found = [one for one in listed if isinstance(one, Record)]
    assert len(found) == len(listed) == 386
    assert [sum(record.label == label for record in found) for label in studies.CLASSES] == [148, 84, 154]
