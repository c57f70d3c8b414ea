from collections import Counter
import csv
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import masks, testing
from tfds_ctcov19.covid_cxr import covid_cxr_dataset_builder, tables
from tfds_ctcov19.errors import DatasetError

DUMMY_DATA = pathlib.Path(__file__).parent / "dummy_data"


class CovidCxrTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = covid_cxr_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "labels"
    BUILDER_CONFIG_NAMES_TO_TEST = ["by_patient"]  # noqa: RUF012
    SPLITS = {"train": 22, "validation": 5, "test": 19}  # noqa: RUF012


class CovidCxrOfTheRepositoryTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = covid_cxr_dataset_builder.Builder
    EXAMPLE_DIR = DUMMY_DATA / "ieee8023"
    BUILDER_CONFIG_NAMES_TO_TEST = ["random"]  # noqa: RUF012
    SPLITS = {"train": 12, "validation": 3, "test": 9}  # noqa: RUF012


@pytest.fixture
def labels(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the class folders with `labels.csv` that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "labels", tmp_path / "archive"))


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the ieee8023 repository that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA / "ieee8023", tmp_path / "archive"))


def build(folder: pathlib.Path, config: str = "by_patient", data_dir: str = "built") -> tfds.core.DatasetBuilder:
    return testing.build(covid_cxr_dataset_builder.Builder, folder, config, data_dir)


def draw(place: pathlib.Path, rows: dict[str, str]) -> None:
    """Masks of films, by their names among class folders and in the repository: a square of 8 of 16 x 16 pixels."""
    (place / "masks").mkdir(parents=True)
    lines = ["filename,project_file,original,mask,lung_mask"]
    for number, (name, original) in enumerate(rows.items()):
        mask = np.zeros((16, 16), bool)
        (place / "masks" / f"{number}_lung.png").write_bytes(masks.png(~mask))
        mask[:8, :8] = number == 0
        (place / "masks" / f"{number}_opacity.png").write_bytes(masks.png(mask))
        lines.append(f",cxr_covid/{name},{original},masks/{number}_opacity.png,masks/{number}_lung.png")
    (place / "labels.csv").write_text("\n".join(lines) + "\n")


def reasons(builder: tfds.core.DatasetBuilder) -> dict[str, str]:
    return {omission["file"]: omission["reason"] for omission in testing.report_of(builder)["dropped"]}


def edit(table: pathlib.Path, old: str, new: str) -> None:
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))


def test_features_of_the_class_folders(labels):
    rows = testing.rows_of(build(labels))
    assert all(row["image"] == (labels / image_id).read_bytes() for image_id, row in rows.items())
    film = rows["Covid-19/covid_2_0.jpg"]
    assert (film["age"], film["sex"], film["view"], film["license"]) == (42, b"F", b"AP Supine", b"")
    assert (film["finding"], film["source"], film["group_id"]) == (b"COVID-19, ARDS", b"ieee8023", b"ieee8023-2")
    assert rows["Covid-19/covid_3_0.jpg"]["age"] == -1
    assert rows["Pneumonia/00000032_000.jpg"]["source"] == b"nih"
    assert rows["Pneumonia/pneu_22.png"]["file_format"] == b"PNG"


@pytest.mark.parametrize("place", ["archive/cxr_opacities", "cxr_opacities"])
def test_masks_of_opacities_take_the_size_of_their_film(labels, place):
    drawn = {"Covid-19/covid_2_0.jpg": "a.jpg", "Pneumonia/pneu_22.png": "b.png"}
    draw(labels.parent / place, {**drawn, "none.png": "c.png"})
    rows = testing.rows_of(build(labels))
    film = rows["Covid-19/covid_2_0.jpg"]
    lesion, lungs = (np.squeeze(film[name]) for name in ("lesion_mask", "lung_mask"))
    assert lesion.shape == (film["height"], film["width"])
    assert set(np.unique(lesion)) == {0, 255}
    assert lesion[: film["height"] // 2, : film["width"] // 2].all()
    assert (lesion > 0).mean() == pytest.approx(0.25, abs=0.02)
    assert lungs.all()
    assert (film["lesions"], rows["Pneumonia/pneu_22.png"]["lesions"]) == (b"mask", b"none")
    others = [row for name, row in rows.items() if name not in drawn]
    assert {row["lesions"] for row in others} == {b""}
    assert not any(row["lesion_mask"].any() or row["lung_mask"].any() for row in others)


def test_masks_go_with_films_of_the_repository(repository):
    draw(repository.parent / "cxr_opacities", {"Covid-19/other_name.jpg": "covid-2-day0.jpg"})
    rows = testing.rows_of(build(repository))
    assert [name for name, row in rows.items() if row["lesions"]] == ["images/covid-2-day0.jpg"]


def test_masks_that_are_missing_or_no_image_are_refused_in_one_line(labels):
    draw(labels / "cxr_opacities", {"Covid-19/covid_2_0.jpg": "a.jpg"})
    mask = labels / "cxr_opacities" / "masks" / "0_opacity.png"
    mask.write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"0_opacity\.png: no image"):
        build(labels)
    mask.unlink()
    with pytest.raises(DatasetError, match=r"0_opacity\.png: listed in labels\.csv and not there"):
        build(labels)


def test_what_is_left_out_of_the_class_folders_is_named(labels, capsys):
    report = testing.report_of(build(labels))
    assert {omission["file"]: omission["reason"] for omission in report["dropped"]} == {
        "Covid-19/covid_9_copy.jpg": "the same picture as Covid-19/covid_1_0.jpg, by labels.csv",
        "Covid-19/covid_4_0.jpg": "the same bytes as Covid-19/covid_10_same.jpg",
        "Covid-19/covid_11_L.jpg": "not a frontal view",
        "No_findings/in_no_row.jpg": "in no row of labels.csv",
    }
    assert [omission["file"] for omission in report["unreadable"]] == ["Covid-19/covid_11_cut.jpg"]
    printed = capsys.readouterr().out
    assert "12 (427)" in printed
    assert "in_no_row.jpg: in no row of labels.csv" in printed


def test_patients_that_share_an_image_are_one_group(labels):
    rows = testing.rows_of(build(labels))
    assert "Covid-19/covid_4_0.jpg" not in rows
    assert {rows[f"Covid-19/covid_10_{name}.jpg"]["group_id"] for name in ("same", "other")} == {b"ieee8023-10"}

    edit(labels / "labels.csv", ",ieee8023-1,Covid-19/covid_1_0.jpg", ",ieee8023-3,Covid-19/covid_1_0.jpg")
    rows = testing.rows_of(build(labels, data_dir="again"))
    assert rows["Covid-19/covid_1_0.jpg"]["group_id"] == rows["Covid-19/covid_3_0.jpg"]["group_id"]


def test_groups_stay_whole_even_with_two_classes(labels):
    rows = testing.rows_of(build(labels))
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    mixed = [row for row in rows.values() if row["group_id"] in (b"ieee8023-8", b"nih-00000042")]
    assert len({(row["group_id"], row["label"]) for row in mixed}) == 4
    assert tfds.builder("covid_cxr", data_dir=labels.parent / "built").info.metadata["groups_disjoint"] is True


def test_random_draws_images_and_admits_that_patients_leak(labels):
    builder = build(labels, "random")
    assert any(len(splits) > 1 for splits in testing.splits_of_groups(testing.rows_of(builder)).values())
    metadata = tfds.builder("covid_cxr/random", data_dir=labels.parent / "built").info.metadata
    assert metadata["groups_disjoint"] is False
    assert "images of one patient stand in training and in test" in metadata["reason"]


def test_one_source_keeps_its_films_in_their_parts(labels):
    whole = testing.rows_of(build(labels))
    builder = build(labels, "one_source", data_dir="one")
    rows = testing.rows_of(builder)
    assert {name: row["split"] for name, row in rows.items()} == {
        name: row["split"] for name, row in whole.items() if row["source"] == b"ieee8023"
    }
    assert reasons(builder)["Pneumonia/00000032_000.jpg"] == "of nih"
    assert tfds.builder("covid_cxr/one_source", data_dir=labels.parent / "one").info.metadata["groups_disjoint"] is True


def test_exactly_so_many_of_nih_are_added_to_the_test_part(labels, monkeypatch):
    before = testing.rows_of(build(labels, data_dir="none"))
    monkeypatch.setattr(covid_cxr_dataset_builder.Builder, "ADDED", 5)
    builder = build(labels)
    assert testing.report_of(builder)["notes"] == [
        "images of other pneumonia added to the test part: 5, of 5 in Table VI of the paper"
    ]
    assert testing.report_of(build(labels, "random"))["notes"] == testing.report_of(builder)["notes"]
    assert testing.rows_of(builder).keys() == before.keys()
    names = covid_cxr_dataset_builder.protocol.set_aside(records_of(labels), 5)
    assert len(names) == 5
    rows = testing.rows_of(builder)
    assert {(rows[name]["split"], rows[name]["source"], rows[name]["label"]) for name in names} == {("test", b"nih", 1)}
    groups = {rows[name]["group_id"] for name in names}
    assert {name for name, row in rows.items() if row["group_id"] in groups} == names
    assert b"nih-00000042" not in groups  # it has a film without findings


def test_without_enough_other_pneumonia_half_of_it_is_left(repository, capsys):
    builder = build(repository)
    assert testing.report_of(builder)["notes"] == [
        "images of other pneumonia added to the test part: 4, of 100 in Table VI of the paper; "
        "at most half of the class is taken, in whole groups of nothing else"
    ]
    assert "added to the test part: 4, of 100" in capsys.readouterr().out
    assert all(images["other_pneumonia"] for images in testing.report_of(builder)["images"].values())


def test_the_split_is_the_same_every_time(labels):
    def splits(data_dir: str) -> dict[str, str]:
        return {name: row["split"] for name, row in testing.rows_of(build(labels, data_dir=data_dir)).items()}

    once = splits("once")
    table = labels / "labels.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]))
    assert splits("twice") == once


def records_of(folder: pathlib.Path) -> list[tables.Record]:
    listed = tables.read_labels(tfds.core.as_path(folder))
    return [item for item in listed if isinstance(item, tables.Record)]


def test_frontal_radiographs_of_the_repository(repository):
    builder = build(repository)
    rows = testing.rows_of(builder)
    film = rows["images/covid-1-day3.jpg"]
    assert (film["group_id"], film["source"], film["age"]) == (b"ieee8023-1", b"ieee8023", 31)
    assert film["finding"] == b"Pneumonia/Viral/COVID-19"
    assert rows["images/covid-3-day0.jpg"]["view"] == b"AP Erect"
    merged = {rows[f"images/{name}.jpg"]["group_id"] for name in ("covid-2-day0", "covid-9a")}
    assert merged == {b"ieee8023-2"}
    assert rows["images/normal-8-before.jpg"]["group_id"] == rows["images/covid-8-day0.jpg"]["group_id"]
    assert reasons(builder) == {
        "images/covid-1-lateral.jpg": "not a frontal view: L",
        "images/view-not-stated.jpg": "not a frontal view: not stated",
        "images/ct-2.jpg": "not an X-ray",
        "volumes/vol-2.nii.gz": "not an X-ray",
        "images/left-out-50.jpg": "of none of the classes: todo",
        "images/left-out-51.jpg": "of none of the classes: Unknown",
        "images/left-out-52.jpg": "of none of the classes: Tuberculosis",
        "images/left-out-53.jpg": "of none of the classes: ARDS",
        "images/left-out-54.jpg": "of none of the classes: todo",
        "images/in-no-row.jpg": "in no row of metadata.csv",
        "images/same-as-2.jpg": "the same bytes as images/covid-2-day0.jpg",
    }


def test_the_older_table_of_the_repository(repository):
    """Without `modality` and `folder`, flat findings, other spelling of the columns."""
    expected = testing.rows_of(build(repository, data_dir="newer"))
    table = repository / "metadata.csv"
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["folder"] == "images"]
    for row in rows:
        flat = row["finding"].rpartition("/")[2].replace("Aspiration", "Pneumonia")
        row |= {"finding": f"{flat}, ARDS" if flat == "COVID-19" else flat}
        row["view"] = "CT" if row["modality"] == "CT" else row["view"]
    columns = {"Patientid": "patientid", "offset": "offset", " view": "view", "finding": "finding", "age": "age"}
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, "filename", ""])
        writer.writerows([*(row[name] for name in columns.values()), row["filename"], ""] for row in rows)
    older = testing.rows_of(build(repository, data_dir="older"))
    assert {name: row["label"] for name, row in older.items()} == {name: row["label"] for name, row in expected.items()}


@pytest.mark.parametrize(
    ("finding", "label"),
    [
        ("COVID-19", "covid19"),
        ("COVID-19, ARDS", "covid19"),
        ("Pneumonia/Viral/COVID-19", "covid19"),
        ("No Finding", "normal"),
        ("SARS", "other_pneumonia"),
        ("E.Coli", "other_pneumonia"),
        ("Mycoplasma Bacterial Pneumonia", "other_pneumonia"),
        ("Pneumonia", "other_pneumonia"),
        ("Pneumonia/Viral/Herpes ", "other_pneumonia"),
        ("ARDS", None),
        ("todo", None),
        ("Unknown", None),
        ("Tuberculosis", None),
        ("", None),
    ],
)
def test_class_of(finding, label):
    assert tables.class_of(finding) == label


def remove_table(archive: pathlib.Path) -> None:
    (archive / "labels.csv").unlink()


def remove_column(archive: pathlib.Path) -> None:
    edit(archive / "labels.csv", "duplicate_of", "remarks")


def remove_image(archive: pathlib.Path) -> None:
    (archive / "Pneumonia" / "pneu_22.png").unlink()


def rename_class(archive: pathlib.Path) -> None:
    edit(archive / "labels.csv", "pneu_22.png,Pneumonia", "pneu_22.png,Influenza")


def rename_source(archive: pathlib.Path) -> None:
    edit(archive / "labels.csv", "NIH ChestX-ray8", "CheXpert")


def list_twice(archive: pathlib.Path) -> None:
    table = archive / "labels.csv"
    row = next(row for row in table.read_text().splitlines() if "pneu_22.png" in row)
    with table.open("a") as file:
        file.write(row.replace(",Pneumonia,", ",Covid-19,") + "\n")


def copy_into_another_class(archive: pathlib.Path) -> None:
    shutil.copy(archive / "Covid-19" / "covid_5_0.jpg", archive / "No_findings" / "normal_61.jpg")


def repeat_another_class(archive: pathlib.Path) -> None:
    edit(archive / "labels.csv", ",Covid-19/covid_1_0.jpg", ",No_findings/normal_61.jpg")


def repeat_nothing(archive: pathlib.Path) -> None:
    edit(archive / "labels.csv", ",Covid-19/covid_1_0.jpg", ",Covid-19/covid_0_0.jpg")


def forget_group(archive: pathlib.Path) -> None:
    edit(archive / "labels.csv", ",ieee8023-22,\n", ",,\n")


def empty_class(archive: pathlib.Path) -> None:
    table = archive / "labels.csv"
    table.write_text("".join(row for row in table.read_text().splitlines(keepends=True) if "No_findings" not in row))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_table, "labels.csv: no such table"),
        (remove_column, "labels.csv: no column duplicate_of: give the table"),
        (remove_image, "pneu_22.png: listed in labels.csv and not there: unpack"),
        (
            rename_class,
            "Pneumonia/pneu_22.png: unknown class Influenza: choose one of Covid-19, Pneumonia, No_findings",
        ),
        (rename_source, "unknown source CheXpert: choose one of ieee8023, NIH"),
        (
            list_twice,
            "Pneumonia/pneu_22.png: other_pneumonia, and Pneumonia/pneu_22.png, the same image, covid19: keep",
        ),
        (copy_into_another_class, "No_findings/normal_61.jpg: normal, and the same bytes as Covid-19/covid_5_0.jpg"),
        (
            repeat_another_class,
            "covid_9_copy.jpg: covid19, and No_findings/normal_61.jpg, the same image, normal: keep",
        ),
        (repeat_nothing, "repeats Covid-19/covid_0_0.jpg, which is in no row: mend duplicate_of"),
        (forget_group, "group is empty: fill it in"),
        (empty_class, "no readable image of class normal in train"),
    ],
)
def test_damaged_class_folders_are_refused_in_one_line(labels, damage, message):
    damage(labels)
    with pytest.raises(DatasetError) as error:
        build(labels)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exitcode == 2
    assert not (labels.parent / "built" / "covid_cxr" / "by_patient" / "1.0.0").exists()


def drop_table(archive: pathlib.Path) -> None:
    (archive / "metadata.csv").unlink()


def drop_column(archive: pathlib.Path) -> None:
    edit(archive / "metadata.csv", "patientid", "person")


def drop_image(archive: pathlib.Path) -> None:
    (archive / "images" / "other-22.png").unlink()


def list_image_twice(archive: pathlib.Path) -> None:
    edit(archive / "metadata.csv", "other-21.png", "covid-1-day0.jpg")


def copy_covid_to_normal(archive: pathlib.Path) -> None:
    shutil.copy(archive / "images" / "covid-5-day0.jpg", archive / "images" / "normal-41.jpg")


def forget_patient(archive: pathlib.Path) -> None:
    edit(archive / "metadata.csv", "\n22,", "\n,")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_table, "not the layout of the archive: it holds metadata.csv and images/"),
        (drop_column, "metadata.csv: no column patientid"),
        (drop_image, "images/other-22.png: listed in metadata.csv and not there"),
        (list_image_twice, "images/covid-1-day0.jpg: covid19, and images/covid-1-day0.jpg, the same image, other_pneu"),
        (copy_covid_to_normal, "images/normal-41.jpg: normal, and the same bytes as images/covid-5-day0.jpg: covid19"),
        (forget_patient, "images/other-22.png: patientid is empty"),
    ],
)
def test_a_damaged_repository_is_refused_in_one_line(repository, damage, message):
    damage(repository)
    with pytest.raises(DatasetError) as error:
        build(repository)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_real_films(tmp_path):
    folder = pathlib.Path(os.environ["CTCOV_TEST_DATA"]).resolve() / "cxr_covid"
    builder = covid_cxr_dataset_builder.Builder(config="by_patient", data_dir=tmp_path)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
    report = testing.report_of(builder)
    images = report["images"]
    assert {label: sum(images[split][label] for split in images) for label in builder.CLASSES} == {
        "covid19": 427 - 6,
        "other_pneumonia": 580,
        "normal": 513 - 1,
    }
    assert report["unreadable"] == []
    assert len(report["dropped"]) == 7
    assert all("the same picture as" in omission["reason"] for omission in report["dropped"])
    assert report["notes"] == ["images of other pneumonia added to the test part: 100, of 100 in Table VI of the paper"]
    for label in ("covid19", "normal"):
        whole = sum(images[split][label] for split in images)
        assert images["test"][label] / whole == pytest.approx(0.3, abs=0.02)
    assert images["test"]["other_pneumonia"] == pytest.approx(100 + 0.3 * 480, abs=5)

    one_source = testing.build(covid_cxr_dataset_builder.Builder, folder, "one_source", str(tmp_path))
    assert testing.report_of(one_source)["images"] == {
        "train": {"covid19": 252, "other_pneumonia": 47, "normal": 7},
        "validation": {"covid19": 42, "other_pneumonia": 9, "normal": 2},
        "test": {"covid19": 127, "other_pneumonia": 24, "normal": 4},
    }

    rows = testing.rows_of(builder)
    assert all(len(splits) == 1 for splits in testing.splits_of_groups(rows).values())
    labels: dict[bytes, set[int]] = {}
    for row in rows.values():
        labels.setdefault(row["group_id"], set()).add(row["label"])
    assert sum(len(found) > 1 for found in labels.values()) == 29
    assert sum(0 in found for found in labels.values()) == 261
    assert Counter(row["source"] for row in rows.values()) == {b"nih": 999, b"ieee8023": 514}
    aside = covid_cxr_dataset_builder.protocol.set_aside(records_of(folder), 100)
    assert len(aside) == 100
    assert all(rows[name]["source"] == b"nih" and rows[name]["split"] == "test" for name in aside)
    assert all(labels[rows[name]["group_id"]] == {1} for name in aside)


@pytest.mark.skipif("CTCOV_TEST_DATA" not in os.environ, reason="no real images: set CTCOV_TEST_DATA")
def test_real_table_of_the_repository(tmp_path):
    """Its rows select the same images as `labels.csv`, though the files are not here."""
    folder = pathlib.Path(os.environ["CTCOV_TEST_DATA"]).resolve() / "cxr_covid"
    with (folder / "labels.csv").open(newline="") as file:
        known = {row["original"]: row for row in csv.DictReader(file) if row["source"].startswith("ieee8023")}
    (tmp_path / "images").mkdir()
    with (folder / "ieee8023_metadata.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            (tmp_path / "images" / row["filename"]).touch()
    shutil.copy(folder / "ieee8023_metadata.csv", tmp_path / "metadata.csv")
    listed = list(tables.read_metadata(tfds.core.as_path(tmp_path)))
    found = {item.path.name: item for item in listed if isinstance(item, tables.Record)}
    assert set(known) - set(found) == set()
    assert {tables.CLASS_NAMES[known[name]["class"]] == found[name].label for name in known} == {True}
