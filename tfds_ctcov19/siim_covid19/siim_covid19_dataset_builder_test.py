import io
import os
import pathlib
import shutil

import numpy as np
import PIL.Image
import pydicom
import pytest
import tensorflow_datasets as tfds

from tests.images import dicom_samples
from tfds_ctcov19 import masks, testing
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.records import Record
from tfds_ctcov19.siim_covid19 import siim_covid19_dataset_builder, tables

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class SiimCovid19Test(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = siim_covid19_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "labels"
    BUILDER_CONFIG_NAMES_TO_TEST = ["by_patient"]  # noqa: RUF012
    SPLITS = {"train": 8, "validation": 4, "test": 4}  # noqa: RUF012


@pytest.fixture
def labels(tmp_path):
    """A copy of the class folders with `labels.csv` that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "labels", tmp_path / "archive"))


def build(folder, data_dir="built"):
    return testing.build(siim_covid19_dataset_builder.Builder, folder, "by_patient", data_dir)


def opened(row, name="image"):
    return np.asarray(PIL.Image.open(io.BytesIO(row[name])))


def test_aspect_and_boxes_are_those_of_the_original(labels):
    rows = testing.rows_of(build(labels))
    assert {opened(row).shape[:2] for row in rows.values()} == {(32, 32), (32, 43)}
    row = rows["typical/0003.jpg"]
    assert (row["original_width"], row["original_height"]) == (4000, 3000)
    mask = row["lesion_mask"][..., 0] if row["lesion_mask"].ndim == 3 else row["lesion_mask"]
    height, width = opened(row).shape[:2]
    assert mask.shape == (height, width)
    assert {row["lesions"] for row in rows.values()} == {b"boxes", b"none", b""}


def test_boxes_cover_what_they_touch_and_nothing_else():
    mask = masks.read(masks.of_boxes(10, 20, [(0.1, 0.2, 0.4, 0.6), (0.99, 0.0, 1.0, 0.01)]))
    expected = np.zeros((10, 20), bool)
    expected[2:6, 2:8] = True
    expected[0, 19] = True
    np.testing.assert_array_equal(mask, expected)


def test_a_squashed_copy_is_stretched_once():
    assert tables._width((256, 256), (4256, 3488)) == 312
    assert tables._width((256, 256), (-1, -1)) == 256
    assert tables._width((300, 256), (4256, 3488)) == 300


def write_published(folder, *, dicom):
    """The competition's layout with two films a class."""
    rng = np.random.default_rng(0)
    names = ["Negative for Pneumonia", "Typical Appearance", "Indeterminate Appearance", "Atypical Appearance"]
    studies, images = [",".join(["id", *names])], ["id,boxes,label,StudyInstanceUID"]
    for number in range(40):
        study, image, label = f"s{number:02}", f"i{number:02}", number % 4
        studies.append(",".join([f"{study}_study", *("1" if place == label else "0" for place in range(4))]))
        boxes = "" if label == 0 else "\"[{'x': 4, 'y': 8, 'width': 8, 'height': 16}]\""
        images.append(f"{image}_image,{boxes},opacity 1 4 8 12 24,{study}")
        values = rng.integers(0, 4096, (32, 40)).astype(np.uint16)
        if dicom:
            path = folder / "train" / study / "series" / f"{image}.dcm"
            path.parent.mkdir(parents=True)
            path.write_bytes(dicom_samples.radiograph(values, PatientID=f"p{number // 2:02}", PatientSex="F"))
        else:
            path = folder / "copies" / f"{image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray((values >> 4).astype(np.uint8)).save(path)
    (folder / "train_study_level.csv").write_text("\n".join(studies) + "\n")
    (folder / "train_image_level.csv").write_text("\n".join([*images, "gone_image,,none,s00"]) + "\n")


@pytest.mark.parametrize("dicom", [True, False])
def test_the_published_archive_and_copies_of_it(tmp_path, dicom):
    (tmp_path / "archive").mkdir()
    write_published(tmp_path / "archive", dicom=dicom)
    builder = build(tmp_path / "archive")
    rows = testing.rows_of(builder)
    assert len(rows) == 40
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    assert len({row["group_id"] for row in rows.values()}) == (20 if dicom else 40)
    row = rows["i01"]
    mask = np.squeeze(row["lesion_mask"])
    assert mask.shape == (32, 40)
    assert (mask[8:24, 4:12] == 255).all()
    assert mask.sum() == 255 * 8 * 16
    assert row["sex"] == (b"F" if dicom else b"")
    assert testing.report_of(builder)["dropped"] == [{"file": "gone", "reason": "no file of this name"}]


def test_squashed_copies_with_a_table_of_their_originals(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    write_published(folder, dicom=False)
    names = sorted(path.stem for path in (folder / "copies").iterdir())
    for path in list((folder / "copies").iterdir()):
        PIL.Image.open(path).resize((16, 16)).save(folder / "copies" / f"{path.stem}_image.png")
        path.unlink()
    rows = ["image_id,dim0,dim1,split", *(f"{name},32,40,train" for name in names)]
    (folder / "copies" / "meta.csv").write_text("\n".join(rows) + "\n")
    row = testing.rows_of(build(folder))["i01"]
    mask = np.squeeze(row["lesion_mask"])
    assert (row["original_width"], row["original_height"]) == (40, 32)
    assert opened(row).shape == mask.shape == (16, 20)
    assert (mask[4:12, 2:6] == 255).all()
    assert mask.sum() == 255 * 4 * 8


def test_boxes_of_copies_of_unknown_originals_have_no_place(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    write_published(folder, dicom=False)
    for path in (folder / "copies").iterdir():
        PIL.Image.open(path).resize((16, 16)).save(path)
    table = folder / "train_image_level.csv"
    rows = testing.rows_of(build(folder))
    assert {row["lesions"] for row in rows.values() if row["label"]} == {b""}, "boxes reach beyond the copies"
    assert not any(row["lesion_mask"].any() for row in rows.values())
    assert {int(row["original_width"]) for row in rows.values()} == {-1}
    table.write_text(table.read_text().replace("'height': 16", "'height': 4"))
    rows = testing.rows_of(build(folder, "again"))
    assert {row["lesions"] for row in rows.values() if row["label"]} == {b"boxes"}, "all fit: copies of full size"


def test_a_dicom_film_is_shown_with_bright_bones(tmp_path):
    values = np.tile(np.arange(40, dtype=np.uint16) * 100, (32, 1))
    for photometric, first in ("MONOCHROME2", 0), ("MONOCHROME1", 255):
        data = dicom_samples.radiograph(values, PhotometricInterpretation=photometric)
        (tmp_path / "film.dcm").write_bytes(data)
        shown = opened({"image": tables._film(tmp_path / "film.dcm", (40, 32))})
        assert (shown[0, 0], shown[0, -1]) == (first, 255 - first)
    assert pydicom.dcmread(io.BytesIO(data)).PhotometricInterpretation == "MONOCHROME1"


def test_films_under_two_labels_are_left_out_and_named(labels):
    shutil.copy(labels / "typical" / "0002.jpg", labels / "atypical" / "0006.jpg")
    reasons = {one["file"]: one["reason"] for one in testing.report_of(build(labels))["dropped"]}
    assert reasons == dict.fromkeys(
        ("typical/0002.jpg", "atypical/0006.jpg"), "the same bytes under atypical and typical"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class,", "kind,", "no column class"),
        ("0002.jpg,typical", "0002.jpg,covid", "unknown class covid"),
        ("0.1 0.2 0.4 0.6", "0.1 0.2 0.4", "is no box"),
        ("0.1 0.2 0.4 0.6", "0.1 0.2 1.4 0.6", "no box within the film"),
        ("typical/0002.jpg,", "typical/none.jpg,", "listed in labels.csv and not there"),
    ],
)
def test_damaged_tables_are_refused_in_one_line(labels, old, new, message):
    table = labels / "labels.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        build(labels)


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_the_real_folder_is_listed_whole():
    folder = pathlib.Path(os.environ["CTCOV_TEST_DATA"]) / "cxr_siim"
    found = [one for one in tables.read_labels(folder) if isinstance(one, Record)]
    assert len(found) == 4780
    assert sum(record.more["lesions"] == "boxes" for record in found) > 3000
