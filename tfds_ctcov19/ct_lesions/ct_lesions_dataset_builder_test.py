import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import testing
from tfds_ctcov19.ct_lesions import ct_lesions_dataset_builder
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.mosmed.mosmed_dataset_builder_test import write_volume
from tfds_ctcov19.records import Record

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class CtLesionsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = ct_lesions_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "labels"
    BUILDER_CONFIG_NAMES_TO_TEST = ["by_group"]  # noqa: RUF012
    SPLITS = {"train": 10, "validation": 4, "test": 2}  # noqa: RUF012


def build(folder, data_dir="built"):
    return testing.build(ct_lesions_dataset_builder.Builder, folder, "by_group", data_dir)


@pytest.fixture
def labels(tmp_path):
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "labels", tmp_path / "archive"))


def test_masks_go_with_their_slices_and_tell_the_label(labels):
    rows = testing.rows_of(build(labels))
    for name, row in rows.items():
        lesion = np.squeeze(row["lesion_mask"]) > 0
        assert lesion.any() == name.endswith("_z1.jpg") == (row["label"] == 1)
        assert row["lesions"] == (b"mask" if lesion.any() else b"none")
        assert (np.squeeze(row["lung_mask"]) > 0).sum() == 24 * 26
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())


@pytest.fixture
def published(tmp_path):
    """Eight cases as published, one with a mask of another shape, a volume of MedSeg, and the slices of SIRM."""
    rng, folder = np.random.default_rng(0), tmp_path / "archive"
    for number in range(8):
        name = f"coronacases_{number:03}.nii.gz" if number % 2 else f"radiopaedia_{number}.nii.gz"
        mask = np.zeros((12, 16, 16), np.uint8)
        mask[2:11, 2:14, 2:7], mask[2:11, 2:14, 9:14] = 1, 2
        mask[6, 4:8, 3:5] = 3
        values = rng.integers(0, 256, mask.shape) if number % 2 == 0 else rng.integers(-1400, 200, mask.shape)
        write_volume(folder / ct_lesions_dataset_builder.CASES / name, values.astype(np.int16))
        if number == 7:
            mask = mask[:-1]
        write_volume(folder / ct_lesions_dataset_builder.CASE_MASKS / name, mask)
    lungs = np.zeros((7, 16, 16), np.uint8)
    lungs[:4, 2:14, 2:7] = 1
    mask = np.zeros_like(lungs)
    mask[0, 4:8, 3:5], mask[0, 8:10, 3:5], mask[3, 12:14, 2:7] = 1, 2, 3
    write_volume(folder / "rp_im" / "4.nii.gz", rng.integers(-1400, 200, lungs.shape).astype(np.int16))
    write_volume(folder / "rp_msk" / "4.nii.gz", mask)
    write_volume(folder / "rp_lung_msk" / "4.nii.gz", lungs)
    mask = np.zeros((10, 16, 16), np.uint8)
    mask[::2, 5:9, 5:9] = 2
    mask[1, 5:9, 5:9] = 3
    write_volume(folder / ct_lesions_dataset_builder.SIRM_MASKS, mask)
    write_volume(folder / ct_lesions_dataset_builder.SIRM_IMAGES, rng.integers(-1400, 200, mask.shape).astype(np.int16))
    return folder


def test_volumes_as_published(published):
    builder = build(published)
    rows = testing.rows_of(builder)
    (dropped,) = testing.report_of(builder)["dropped"]
    assert dropped["file"].endswith("coronacases_007.nii.gz")
    cases = {name: row for name, row in rows.items() if row["source"] == b"Zenodo 3757476"}
    assert {int(row["slice"]) for row in cases.values()} == {3, 6, 9}, "every third slice that shows a lung"
    lesion = cases["coronacases_001/006"]
    assert (np.squeeze(lesion["lesion_mask"]) > 0).sum() == 8
    assert (np.squeeze(lesion["lung_mask"]) > 0).sum() == 120, "lesions are part of the lung"
    assert {row["label"] for name, row in cases.items() if not name.endswith("006")} == {0}
    sirm = [row for row in rows.values() if row["source"].startswith(b"SIRM")]
    assert [len(sirm), sum(row["label"] for row in sirm)] == [10, 5]
    assert not any(row["lung_mask"].any() for row in sirm)
    medseg = {name: row for name, row in rows.items() if row["source"].startswith(b"MedSeg")}
    assert {name: row["lesions"] for name, row in medseg.items()} == {
        "medseg-4/000": b"mask",
        "medseg-4/003": b"none",
    }, "slices with a lung; fluid beside the lung is no lesion"
    assert {(np.squeeze(row["lung_mask"]) > 0).sum() for row in medseg.values()} == {60}
    assert (np.squeeze(medseg["medseg-4/000"]["lesion_mask"]) > 0).sum() == 12, "ground glass and consolidation"


def test_a_volume_without_its_masks_is_named(published):
    (published / "rp_lung_msk" / "4.nii.gz").unlink()
    dropped = {one["file"]: one["reason"] for one in testing.report_of(build(published))["dropped"]}
    assert dropped["rp_im/4.nii.gz"].startswith("unreadable, or its mask is")


def test_a_mask_that_is_no_image_is_named_and_a_missing_one_refused(labels):
    (labels / "masks" / "g0_z1.png").write_bytes(b"no mask")
    (dropped,) = testing.report_of(build(labels))["dropped"]
    assert dropped["file"] == "masks/g0_z1.png"
    (labels / "lungs" / "g1_z1.png").unlink()
    with pytest.raises(DatasetError, match=r"lungs/g1_z1\.png: listed in labels\.csv and not there"):
        build(labels, "again")


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_the_real_folder_is_listed_whole():
    listed = ct_lesions_dataset_builder._listed(pathlib.Path(os.environ["CTCOV_TEST_DATA"]) / "ct_lesions")
    found = [one for one in listed if isinstance(one, Record)]
    assert len(found) == 332
    assert sum(record.label == "no_lesion" for record in found) == 47
