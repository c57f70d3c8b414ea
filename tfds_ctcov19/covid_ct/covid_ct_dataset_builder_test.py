import os
import pathlib
import shutil
import zipfile

import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import testing
from tfds_ctcov19.covid_ct import covid_ct_dataset_builder, patients
from tfds_ctcov19.errors import DatasetError

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class CovidCtTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = covid_ct_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["conflicts_dropped"]  # noqa: RUF012
    SPLITS = {"train": 4, "validation": 3, "test": 4}  # noqa: RUF012


class CovidCtAsReleasedTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = covid_ct_dataset_builder.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["as_released"]  # noqa: RUF012
    SPLITS = {"train": 5, "validation": 3, "test": 4}  # noqa: RUF012


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the dummy archive that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA, tmp_path / "archive"))


def build(folder: pathlib.Path, config: str = "conflicts_dropped") -> tfds.core.DatasetBuilder:
    return testing.build(covid_ct_dataset_builder.Builder, folder, config)


def test_examples_keep_bytes_and_tell_file_facts_by_content(archive, capsys):
    builder = build(archive)
    rows = testing.rows_of(builder)
    for image_id, row in rows.items():
        assert row["image"] == (archive / "Images" / image_id).read_bytes()
        assert row["file_bytes"] == len(row["image"])
    jpeg_named_png = rows["CT_COVID/2020.02.01.1-p1-2%0.png"]
    assert (jpeg_named_png["file_format"], jpeg_named_png["mode"]) == (b"JPEG", b"L")
    assert rows["CT_COVID/2020.02.01.1-p1-1.png"]["mode"] == b"RGBA"
    assert rows["CT_NonCOVID/14.png"]["mode"] == b"P"
    assert (rows["CT_COVID/2020.03.01.2-p2-1.png"]["width"], rows["CT_COVID/kjr-21-e24-p5-29.png"]["height"]) == (
        36,
        48,
    )

    assert jpeg_named_png["group_id"] == b"covid-1"  # its name lacks .png in the table
    assert (jpeg_named_png["age"], jpeg_named_png["sex"]) == (41, b"M")
    assert (rows["CT_COVID/kjr-21-e24-p5-29.png"]["age"], rows["CT_COVID/kjr-21-e24-p5-29.png"]["sex"]) == (-1, b"F")
    assert (rows["CT_NonCOVID/14.png"]["group_id"], rows["CT_NonCOVID/14.png"]["source"]) == (
        b"noncovid-medpix_patient_38",
        b"medpix",
    )
    printed = capsys.readouterr().out
    assert "CT_COVID/2020.02.01.1-p9-9.png: unreadable" in printed
    assert "2 (191)" in printed


def test_only_the_training_copy_of_a_conflict_is_dropped(archive):
    dropped = testing.report_of(build(archive))["dropped"]
    assert [omission["file"] for omission in dropped] == ["CT_NonCOVID/71%0.jpg"]
    assert testing.report_of(build(archive, "as_released"))["dropped"] == []


def test_upstreams_zip_files(archive):
    processed = archive / "Images-processed"
    processed.mkdir()
    for name in ("CT_COVID", "CT_NonCOVID"):
        with zipfile.ZipFile(processed / f"{name}.zip", "w") as packed:
            packed.writestr(f"__MACOSX/{name}/._x", b"")
            for image in (archive / "Images" / name).iterdir():
                packed.write(image, f"{name}/{image.name}")
    expected = testing.report_of(build(archive))["images"]
    shutil.rmtree(archive / "Images")
    shutil.rmtree(archive.parent / "built")
    assert testing.report_of(build(archive))["images"] == expected


def test_whole_archive_as_one_zip_file(archive):
    (archive.parent / "manual").mkdir()
    shutil.make_archive(str(archive.parent / "manual" / "COVID-CT-master"), "zip", archive.parent, "archive")
    assert testing.report_of(build(archive.parent / "manual"))["images"]["train"] == {"covid19": 2, "non_covid19": 2}


def test_labels_csv_stands_in_for_the_tables(archive):
    tables = patients.read_patients(archive)
    (archive / patients.LABELS_TABLE).write_text(
        "filename,class,split,patientid,age,sex\nImages/CT_COVID/2020.02.01.1-p1-1.png,COVID,train,covid-1,41,M\n"
    )
    (archive / patients.COVID_TABLE).unlink()
    key = ("COVID", "2020.02.01.1-p1-1.png")
    assert patients.read_patients(archive) == {key: tables[key]}


def remove_class(archive: pathlib.Path) -> None:
    shutil.rmtree(archive / "Images" / "CT_NonCOVID")


def remove_image(archive: pathlib.Path) -> None:
    (archive / "Images" / "CT_COVID" / "2020.03.01.2-p2-1.png").unlink()


def add_image(archive: pathlib.Path) -> None:
    (archive / "Images" / "CT_COVID" / "more.png").write_bytes(b"")


def empty_validation(archive: pathlib.Path) -> None:
    (archive / "Images" / "CT_NonCOVID" / "2.jpg").write_bytes(b"no image")


def remove_lists(archive: pathlib.Path) -> None:
    shutil.rmtree(archive / "Data-split")


def remove_tables(archive: pathlib.Path) -> None:
    (archive / "NonCOVID-CT-MetaInfo.csv").unlink()


def forget_patient(archive: pathlib.Path) -> None:
    table = archive / "NonCOVID-CT-MetaInfo.csv"
    table.write_text(table.read_text().replace("33.png", "99.png"))


def spread_patient(archive: pathlib.Path) -> None:
    table = archive / "NonCOVID-CT-MetaInfo.csv"
    table.write_text(table.read_text().replace("medpix_patient_40", "crawled_patient_1"))


def damage_zip(archive: pathlib.Path) -> None:
    remove_class(archive)
    (archive / "CT_NonCOVID.zip").write_bytes(b"PK\x03\x04 cut")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_class, "CT_NonCOVID.zip is there: both classes are needed"),
        (remove_image, "2020.03.01.2-p2-1.png: listed in Data-split and not there"),
        (add_image, "more.png: in no list"),
        (empty_validation, "no readable image of class non_covid19 in validation"),
        (remove_lists, "not the layout of the archive"),
        (remove_tables, "no patient ids"),
        (forget_patient, "33.png: in no table of patients"),
        (spread_patient, "group noncovid-crawled_patient_1 stands in train and test"),
        (damage_zip, "cannot be unpacked"),
    ],
)
def test_a_damaged_archive_is_refused_in_one_line(archive, damage, message):
    damage(archive)
    with pytest.raises(DatasetError) as error:
        build(archive)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (archive.parent / "built" / "covid_ct" / "conflicts_dropped" / "1.0.0").exists()


def test_without_folder_and_network_both_ways_are_named(tmp_path, monkeypatch):
    def no_network(self, url):
        raise ConnectionError(url)

    monkeypatch.setattr(tfds.download.DownloadManager, "download", no_network)
    with pytest.raises(DatasetError, match=r"nowhere does not exist.*--manual_dir") as error:
        build(tmp_path / "nowhere")
    assert covid_ct_dataset_builder.COMMIT in str(error.value)


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_real_collection(tmp_path):
    folder = pathlib.Path(os.environ["CTCOV_TEST_DATA"]).resolve() / "covid_ct"
    builder = covid_ct_dataset_builder.Builder(config="conflicts_dropped", data_dir=tmp_path)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    report = testing.report_of(builder)
    assert report["images"] == {
        **builder.PUBLISHED,
        "train": {"covid19": 191, "non_covid19": 232},
    }
    assert {omission["file"] for omission in report["dropped"]} == {"CT_NonCOVID/71%0.jpg", "CT_NonCOVID/71%1.jpg"}
    assert report["unreadable"] == []
    rows = testing.rows_of(builder).values()
    assert sum(row["mode"] == b"RGBA" for row in rows) == 174
    assert all(row["label"] == 0 for row in rows if row["mode"] == b"RGBA")
    groups = {(row["label"], row["group_id"]) for row in rows}
    assert len([group for label, group in groups if label == 0]) == 128 + 32 + 53
    with_tables = patients.read_patients(folder)

    if not (folder / patients.LABELS_TABLE).exists():
        return
    shutil.copy(folder / patients.LABELS_TABLE, tmp_path)
    assert all(with_tables[key] == patient for key, patient in patients.read_patients(tmp_path).items())


def test_what_windows_leaves_and_its_marks_in_lists_are_passed_over(archive):
    for name in "Thumbs.db", "desktop.ini", "._x.png":
        (archive / "Images" / "CT_COVID" / name).write_bytes(b"x")
    for path in (archive / "Data-split").rglob("*.txt"):
        path.write_text("\ufeff" + path.read_text(), encoding="utf-8")
    assert len(testing.rows_of(build(archive))) > 0
