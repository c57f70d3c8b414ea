import pathlib
import shutil

import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import testing
from tfds_ctcov19.ctcov19 import ctcov19_dataset_builder
from tfds_ctcov19.errors import DatasetError

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class Ctcov19Test(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = ctcov19_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["as_released"]  # noqa: RUF012
    SPLITS = {"train": 22, "validation": 9, "test": 9}  # noqa: RUF012


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the dummy archive that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA, tmp_path / "CT-COV19-598e9b8"))


def build(folder: pathlib.Path, config: str = "as_released") -> tfds.core.DatasetBuilder:
    return testing.build(ctcov19_dataset_builder.Builder, folder, config)


def test_layouts_formats_and_groups(archive):
    rows = testing.rows_of(build(archive))
    for image_id, row in rows.items():
        assert row["image"] == (archive / image_id).read_bytes()
    assert rows["Val/OtherPneumonia/pneu_152.png"]["group_id"] == b"Val/OtherPneumonia"
    assert rows["Train/OtherPneumonia/pneu_1/pneu_152.png"]["group_id"] == b"Train/OtherPneumonia/pneu_1"
    assert rows["Train/COV/01/FILE00110.jpg"]["group_id"] == b"Train/COV/01"
    assert rows["Val/COV/01/FILE00110.jpg"]["group_id"] == b"Val/COV/01"
    assert rows["Train/COV/2020_4_23/pos_187.png"]["mode"] == b"RGBA"
    assert rows["Train/COV/2020_4_23/pos_188.png"]["file_format"] == b"JPEG"
    assert rows["Train/Normal/1/neg_3.png"]["mode"] == b"P"


def test_unreadable_files_are_named_and_the_table_stands_beside_table_2(archive, capsys):
    report = testing.report_of(build(archive))
    assert {omission["file"] for omission in report["unreadable"]} == {
        "Train/COV/2020_4_23/pos_189.png",
        "Test/Normal/1/neg_23.png",
    }
    assert report["images"]["train"] == {"covid19": 15, "other_pneumonia": 3, "normal": 4}
    printed = capsys.readouterr().out
    for text in ("Table II", "15 (6120)", "22 (9723)", "neg_23.png: unreadable: ", "unreadable files: 2"):
        assert text in printed


def test_table_2_adds_up_to_the_papers_totals():
    published = ctcov19_dataset_builder.Builder.PUBLISHED
    assert sum(sum(by_class.values()) for by_class in published.values()) == 13505
    assert sum(by_class["covid19"] for by_class in published.values()) == 8500


def test_grouped_pools_the_parts_and_keeps_series_whole(archive):
    released, grouped = testing.rows_of(build(archive)), testing.rows_of(build(archive, "grouped"))
    assert released.keys() == grouped.keys()
    splits: dict[bytes, set[str]] = {}
    for row in grouped.values():
        splits.setdefault(row["group_id"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert any(released[image]["split"] != grouped[image]["split"] for image in grouped)
    assert grouped["Val/OtherPneumonia/pneu_152.png"]["group_id"] == b"other_pneumonia/pneu_150-152"
    assert grouped["Val/OtherPneumonia/pneu_152.png"]["source"] == b"Val/OtherPneumonia"


def test_metadata_admits_that_patients_are_unknown(archive):
    build(archive)
    reloaded = tfds.builder("ctcov19", data_dir=archive.parent / "built")
    assert reloaded.info.metadata["groups_disjoint"] is False
    assert "no patient ids" in reloaded.info.metadata["reason"]


def test_zip_file_as_published(archive):
    (archive.parent / "manual").mkdir()
    shutil.make_archive(str(archive.parent / "manual" / "CT-COV19"), "zip", archive.parent, archive.name)
    expected = testing.report_of(build(archive))["images"]
    shutil.rmtree(archive.parent / "built")
    assert testing.report_of(build(archive.parent / "manual"))["images"] == expected


@pytest.mark.parametrize("place", ["Val/OtherPneumonia", "Test/COV", "Train/Normal"])
def test_a_missing_class_is_refused(archive, place):
    shutil.rmtree(archive / place)
    with pytest.raises(DatasetError, match=f"{place}: no such folder or nothing in it"):
        build(archive)
    (archive / place).mkdir()
    with pytest.raises(DatasetError, match=f"{place}: no such folder or nothing in it"):
        build(archive)


def test_a_class_without_one_readable_image_is_refused(archive):
    for image in (archive / "Val" / "OtherPneumonia").iterdir():
        image.write_bytes(b"no image")
    with pytest.raises(DatasetError, match="no readable image of class other_pneumonia in validation"):
        build(archive)


def test_another_layout_is_refused(tmp_path):
    (tmp_path / "manual" / "images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="not the layout of the archive"):
        build(tmp_path / "manual")
