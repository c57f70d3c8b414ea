import io
import os
import pathlib
import shutil

import nibabel
import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import testing
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.mosmed import mosmed_dataset_builder
from tfds_ctcov19.records import Record

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class MosmedTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = mosmed_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "labels"
    BUILDER_CONFIG_NAMES_TO_TEST = ["by_patient"]  # noqa: RUF012
    SPLITS = {"train": 3, "validation": 3, "test": 3}  # noqa: RUF012


def build(folder, data_dir="built"):
    return testing.build(mosmed_dataset_builder.Builder, folder, "by_patient", data_dir)


def write_volume(path, values, flip=False):
    """A volume (slices, height, width) as the scanner stores it, or turned as some tools do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = values[:, ::-1, ::-1].transpose(2, 1, 0)
    affine = np.diag([0.8, 0.8, 8.0, 1.0])
    if flip:
        array, affine = array[::-1], affine @ np.diag([-1.0, 1, 1, 1])
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array), affine), path)


@pytest.fixture
def archive(tmp_path):
    """Studies as published, of every category but CT-4; one has a mask, one is damaged."""
    rng, folder = np.random.default_rng(0), tmp_path / "archive"
    for number in range(24):
        category = f"CT-{number % 4}"
        values = rng.integers(-1400, 200, (20, 12, 16)).astype(np.int16)
        values[:, 0, 0] = 150  # a corner: the patient's right, in front
        write_volume(folder / "studies" / category / f"study_{number:04}.nii.gz", values, flip=number % 2 == 1)
    mask = np.zeros((20, 12, 16), np.uint8)
    mask[10, 3:6, 2:9] = 1
    write_volume(folder / "masks" / "study_0001_mask.nii.gz", mask)
    (folder / "studies" / "CT-1" / "study_9999.nii.gz").write_bytes(b"no volume")
    return folder


def test_studies_as_published(archive):
    builder = build(archive)
    rows = testing.rows_of(builder)
    assert len(rows) == 24 * 3
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    assert [one["file"] for one in testing.report_of(builder)["dropped"]] == ["studies/CT-1/study_9999.nii.gz"]
    assert {row["lesions"] for row in rows.values() if row["category"] == b"CT-0"} == {b"none"}
    drawn = rows["CT-1/study_0001/010"]
    assert (drawn["lesions"], drawn["label"], drawn["slice"]) == (b"mask", 1, 10)
    mask = np.squeeze(drawn["lesion_mask"]) > 0
    assert mask[3:6, 2:9].all()
    assert mask.sum() == 21


def test_slices_lie_as_they_are_looked_at_and_go_through_the_lung_window(archive):
    rows = testing.rows_of(build(archive))
    for study in 1, 2:
        image = np.asarray(PIL.Image.open(io.BytesIO(rows[f"CT-{study}/study_{study:04}/010"]["image"])))
        assert image.shape == (12, 16)
        assert image[0, 0] == 255, "150 HU is above the window's upper end of 150"
        assert image.min() == 0, "-1350 HU and below are black"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("CT-0_000.jpg,CT-0", "CT-0_000.jpg,CT-9", "unknown class CT-9"), ("CT-0/CT-0_000", "CT-0/none", "not there")],
)
def test_damaged_tables_are_refused_in_one_line(tmp_path, old, new, message):
    folder = pathlib.Path(shutil.copytree(DUMMY_DATA / "labels", tmp_path / "archive"))
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match=message):
        build(folder)


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_the_real_folder_is_listed_whole():
    listed = mosmed_dataset_builder._listed(pathlib.Path(os.environ["CTCOV_TEST_DATA"]) / "ct_mosmed")
    found = [one for one in listed if isinstance(one, Record)]
    assert len(found) == 791
    assert sum(record.label == "normal" for record in found) == 189
