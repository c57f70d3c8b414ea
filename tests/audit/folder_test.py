import pathlib

import pytest

from ctcov_tf import errors
from ctcov_tf.audit import folder
from ctcov_tf.audit.collection import open_collection
from tests.audit import samples


def make(root: pathlib.Path, *names):
    for name in names:
        samples.write(root / name, samples.picture(len(name), (20, 30)))
    return root


def test_a_table_gives_everything_that_it_tells(tmp_path):
    make(tmp_path, "a.png", "b.jpg")
    (tmp_path / "labels.csv").write_text(
        "\ufeffFilename, Class,Subset,PatientID,Collection,Age,Gender,Projection\n"
        "a.png,covid,Val,p1,clinic,41,M,AP\nb.jpg,normal,training,p2,web,40+,,\n",
        encoding="utf-8",
    )
    table = open_collection(str(tmp_path)).table
    assert list(table["image_id"]) == ["a.png", "b.jpg"]
    assert list(table["label"]) == ["covid", "normal"]
    assert list(table["split"]) == ["validation", "train"]
    assert list(table["group"]) == ["p1", "p2"]
    assert list(table["source"]) == ["clinic", "web"]
    assert table["age"].iloc[0] == 41
    assert table["age"].isna().iloc[1]
    assert list(table["sex"]) == ["M", ""]
    assert list(table["view"]) == ["AP", ""]


def test_group_goes_before_patient_and_what_is_not_told_is_empty(tmp_path):
    make(tmp_path, "a.png")
    (tmp_path / "labels.csv").write_text("patientid,file,group,label\np1,a.png,g1,covid\n")
    row = open_collection(str(tmp_path)).table.iloc[0]
    assert (row["group"], row["split"], row["source"]) == ("g1", "", "")
    assert "age" not in row


def test_images_in_no_row_are_named(tmp_path):
    make(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "labels.csv").write_text("file,class\na.png,covid\n")
    collection = open_collection(str(tmp_path))
    assert len(collection.table) == 1
    assert collection.remarks == ("b.png and 1 more: not in labels.csv, left out.",)


def test_folders_of_classes_and_of_parts(tmp_path):
    table = folder.open_folder(make(tmp_path / "flat", "covid/a.png", "covid/s1/b.PNG", "normal/c.jpeg")).table
    assert list(table["label"]) == ["covid", "covid", "normal"]
    assert set(table["split"]) == {""}
    assert list(table["group"]) == ["", "covid/s1", ""]
    table = folder.open_folder(make(tmp_path / "parts", "Train/covid/a.png", "Val/covid/1/b.png", "Test/x/c.png")).table
    assert sorted(table["split"]) == ["test", "train", "validation"]
    assert set(table["group"]) == {"", "Val/covid/1"}


def test_images_are_read_in_the_order_of_the_table(tmp_path):
    collection = folder.open_folder(make(tmp_path, "b/1.png", "a/2.png"))
    read = list(collection.read())
    assert read == [(tmp_path / name).read_bytes() for name in collection.table["image_id"]]


def test_hidden_files_and_other_files_are_no_images(tmp_path):
    make(tmp_path, "covid/a.png", "normal/b.png", ".cache/covid/c.png")
    (tmp_path / "covid" / "notes.txt").touch()
    assert len(folder.open_folder(tmp_path).table) == 2


def test_a_publisher_is_known_by_the_names_of_its_classes(tmp_path):
    published = folder.open_folder(make(tmp_path / "one", "COVID/a.png", "NonCOVID/b.png")).published
    assert published.images["train"] == {"COVID": 191, "NonCOVID": 234}
    assert folder.open_folder(make(tmp_path / "two", "covid/a.png", "NonCOVID/b.png")).published is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("class\ncovid\n", "no column that names the file: call one file or filename"),
        ("file\na.png\n", "no column that names the class: call one class or label"),
        ("file,class\na.png,\n", "line 2: class is empty: fill it in"),
        ("file,class\nz.png,covid\n", r"z\.png: listed in labels\.csv and not there \(1 in all\)"),
        ("file,class\na.png,covid\na.png,normal\n", r"a\.png: in two rows: keep the one that is right"),
        ("", "no table"),
    ],
)
def test_a_faulty_table_is_one_line_with_the_remedy(tmp_path, labels, message):
    make(tmp_path, "a.png")
    (tmp_path / "labels.csv").write_text(labels)
    with pytest.raises(errors.CtcovError, match=message):
        folder.open_folder(tmp_path)


def test_other_layouts_are_refused(tmp_path):
    with pytest.raises(errors.CtcovError, match="no such folder"):
        folder.open_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.CtcovError, match="no image in it"):
        folder.open_folder(tmp_path / "empty")
    with pytest.raises(errors.CtcovError, match=r"a\.png: in no folder of a class: sort the images"):
        folder.open_folder(make(tmp_path / "loose", "a.png", "covid/b.png"))
    with pytest.raises(errors.CtcovError, match=r"a\.png: in a part and in no class"):
        folder.open_folder(make(tmp_path / "parts", "train/a.png", "test/covid/b.png"))
