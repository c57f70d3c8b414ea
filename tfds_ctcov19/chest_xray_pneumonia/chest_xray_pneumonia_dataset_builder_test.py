from collections import Counter
import os
import pathlib
import shutil

import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import archive_builder, testing
from tfds_ctcov19.chest_xray_pneumonia import chest_xray_pneumonia_dataset_builder, file_names
from tfds_ctcov19.errors import DatasetError

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class ChestXrayPneumoniaTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = chest_xray_pneumonia_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "published"
    BUILDER_CONFIG_NAMES_TO_TEST = ["by_patient"]  # noqa: RUF012
    SPLITS = {"train": 41, "validation": 5, "test": 4}  # noqa: RUF012


class ChestXrayPneumoniaAsReleasedTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = chest_xray_pneumonia_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "published"
    BUILDER_CONFIG_NAMES_TO_TEST = ["as_released"]  # noqa: RUF012
    SPLITS = {"train": 39, "validation": 3, "test": 9}  # noqa: RUF012


@pytest.fixture
def published(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the unpacked archive that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "published", tmp_path / "archive"))


@pytest.fixture
def labels(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the class folders with `labels.csv` that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "labels", tmp_path / "archive"))


def build(folder: pathlib.Path, config: str = "by_patient", data_dir: str = "built") -> tfds.core.DatasetBuilder:
    return testing.build(chest_xray_pneumonia_dataset_builder.Builder, folder, config, data_dir)


@pytest.mark.parametrize(
    ("stem", "film"),
    [
        ("person1_bacteria_1", ("person1", "bacterial")),
        ("person1141_virus_1890", ("person1141", "viral")),
        ("IM-0115-0001", ("IM-0115", "")),
        ("IM-0656-0001-0002", ("IM-0656", "")),
        ("NORMAL2-IM-0394-0001", ("IM-0394", "")),
        ("BACTERIA-1008087-0001", ("1008087", "bacterial")),
        ("NORMAL-28501-0001", ("28501", "")),
        ("portrait", None),
        ("person1", None),
    ],
)
def test_file_names_tell_patient_and_subtype(stem, film):
    assert file_names.parse(stem) == film


def test_parts_are_pooled_and_equal_numbers_are_one_patient(published):
    rows = testing.rows_of(build(published))
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    person = [row for row in rows.values() if row["group_id"] == b"person1"]
    assert Counter((row["source"], row["subtype"]) for row in person) == {
        (b"train", b"bacterial"): 2,
        (b"train", b"viral"): 1,
        (b"test", b"viral"): 1,
    }
    assert Counter(row["group_id"] for row in rows.values())[b"IM-0115"] == 3
    assert {row["subtype"] for row in rows.values() if row["label"] == 1} == {b""}
    assert rows["val/NORMAL/NORMAL2-IM-1427-0001.jpeg"]["source"] == b"val"


def test_repetitions_are_dropped_and_named_with_files_without_a_number(published, capsys):
    report = testing.report_of(build(published))
    assert {omission["file"]: omission["reason"] for omission in report["dropped"]} == {
        "train/NORMAL/portrait.jpeg": "no patient number in its name",
        "train/PNEUMONIA/person2_bacteria_2.jpeg": "the same bytes as test/PNEUMONIA/person99_bacteria_299.jpeg",
    }
    assert report["unreadable"] == []
    assert "31 (4273)" in capsys.readouterr().out


def test_subtypes_stand_in_every_part(published):
    rows = testing.rows_of(build(published)).values()
    assert {(row["split"], row["subtype"]) for row in rows} == {
        (split, subtype) for split in archive_builder.SPLITS for subtype in (b"", b"bacterial", b"viral")
    }


def test_the_split_is_the_same_every_time(published):
    once, twice = (build(published, data_dir=name) for name in ("once", "twice"))
    assert {k: row["split"] for k, row in testing.rows_of(once).items()} == {
        k: row["split"] for k, row in testing.rows_of(twice).items()
    }


def test_as_released_keeps_the_test_part_and_cuts_validation_by_patient(published):
    builder = build(published, "as_released")
    rows = testing.rows_of(builder)
    assert {name for name, row in rows.items() if row["split"] == "test"} == {
        name for name in rows if name.startswith("test/")
    }
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    assert rows["train/PNEUMONIA/person1_bacteria_1.jpeg"]["group_id"] == b"train/person1"
    assert rows["test/PNEUMONIA/person1_virus_201.jpeg"]["group_id"] == b"test/person1"
    assert testing.report_of(builder)["notes"] == [
        "validation part in the archive: 2 images; cut from train by patient"
    ]
    metadata = tfds.builder("chest_xray_pneumonia/as_released", data_dir=published.parent / "built").info.metadata
    assert metadata["groups_disjoint"] is False
    assert "publishers' word" in metadata["reason"]


def test_a_large_validation_part_stays(published, monkeypatch):
    monkeypatch.setattr(chest_xray_pneumonia_dataset_builder, "SMALLEST_VALIDATION", 2)
    rows = testing.rows_of(build(published, "as_released"))
    assert {name for name, row in rows.items() if row["split"] == "validation"} == {
        "val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
        "val/PNEUMONIA/person1946_bacteria_4874.jpeg",
    }


def test_mendeleys_archive_has_no_validation_part(published):
    shutil.rmtree(published / "chest_xray" / "val")
    report = testing.report_of(build(published, "as_released"))
    assert report["notes"] == ["validation part in the archive: 0 images; cut from train by patient"]
    assert all(report["images"]["validation"].values())


def test_kaggles_folder_within_a_folder_and_its_zip_file(published):
    expected = testing.report_of(build(published, data_dir="flat"))["images"]
    outer = published / "chest_xray"
    outer.rename(published / "inner")
    outer.mkdir()
    (published / "inner").rename(outer / "chest_xray")
    assert testing.report_of(build(published, data_dir="nested"))["images"] == expected

    (published.parent / "manual").mkdir()
    shutil.make_archive(str(published.parent / "manual" / "archive"), "zip", published)
    assert testing.report_of(build(published.parent / "manual", data_dir="zipped"))["images"] == expected


def test_class_folders_with_labels(labels):
    builder = build(labels)
    report = testing.report_of(builder)
    assert sum(sum(by_class.values()) for by_class in report["images"].values()) == 24
    assert {(row["source"], row["label"]) for row in testing.rows_of(builder).values()} == {
        (b"train", 0),
        (b"train", 1),
    }
    with pytest.raises(DatasetError, match="no test part in this layout: build the config by_patient"):
        build(labels, "as_released")


def remove_table(archive: pathlib.Path) -> None:
    (archive / "labels.csv").unlink()


def remove_column(archive: pathlib.Path) -> None:
    table = archive / "labels.csv"
    table.write_text(table.read_text().replace("class,", "kind,", 1))


def remove_image(archive: pathlib.Path) -> None:
    (archive / "NORMAL" / "IM-0003-0001.jpg").unlink()


def rename_class(archive: pathlib.Path) -> None:
    table = archive / "labels.csv"
    table.write_text(table.read_text().replace("IM-0003-0001.jpg,NORMAL", "IM-0003-0001.jpg,COVID", 1))


def copy_into_another_class(archive: pathlib.Path) -> None:
    shutil.copy(archive / "NORMAL" / "IM-0003-0001.jpg", archive / "PNEUMONIA" / "person3_bacteria_3.jpg")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_table, "labels.csv: no such table"),
        (remove_column, "labels.csv: no column class"),
        (remove_image, "IM-0003-0001.jpg: listed in labels.csv and not there"),
        (rename_class, "NORMAL/IM-0003-0001.jpg: unknown class COVID: choose one of PNEUMONIA, NORMAL"),
        (copy_into_another_class, "PNEUMONIA/person3_bacteria_3.jpg: pneumonia, and the same bytes as NORMAL/IM-0003"),
    ],
)
def test_damaged_class_folders_are_refused_in_one_line(labels, damage, message):
    damage(labels)
    with pytest.raises(DatasetError) as error:
        build(labels)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_class_that_is_missing_in_a_part_is_refused(published):
    shutil.rmtree(published / "chest_xray" / "test" / "NORMAL")
    with pytest.raises(DatasetError, match="test/NORMAL: no such folder or nothing in it"):
        build(published)


def test_another_layout_is_refused(tmp_path):
    (tmp_path / "manual" / "images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="not the layout of the archive: it holds train/"):
        build(tmp_path / "manual")


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_real_sample(tmp_path):
    folder = pathlib.Path(os.environ["CTCOV_TEST_DATA"]).resolve() / "cxr_pneumonia_kermany"
    builder = chest_xray_pneumonia_dataset_builder.Builder(config="by_patient", data_dir=tmp_path)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    report = testing.report_of(builder)
    assert report["images"] == {
        "train": {"pneumonia": 480, "normal": 240},
        "validation": {"pneumonia": 60, "normal": 30},
        "test": {"pneumonia": 60, "normal": 30},
    }
    assert report["unreadable"] == report["dropped"] == []
    rows = testing.rows_of(builder)
    assert Counter(row["subtype"] for row in rows.values()) == {b"bacterial": 300, b"viral": 300, b"": 300}
    splits = testing.splits_of_groups(rows)
    assert len(splits) == 776  # 16 numbers stand with and without NORMAL2-
    assert all(len(found) == 1 for found in splits.values())
