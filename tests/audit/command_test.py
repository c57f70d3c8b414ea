import json
import pathlib
import re

import pytest

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.audit import classifiers, command
from ctcov_tf.audit.verdict import Limits
from tests.audit import samples


def audit(target, capsys, **options):
    capsys.readouterr()
    code = command.run(str(target), as_json=True, **options)
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def small_forests(monkeypatch):
    monkeypatch.setattr(classifiers, "TREES", 40)


def named(record, name):
    return max(one["low"] for result in record["classifiers"] if result["name"] == name for one in result["classes"])


@pytest.mark.usefixtures("small_forests")
def test_a_clean_folder_ends_with_zero_and_a_summary(tmp_path, capsys):
    assert command.run(str(samples.folder(tmp_path / "set"))) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Nothing alarming was found in set")
    assert "FINDING" not in printed
    assert "clean:   No picture was found in two classes." in printed
    assert re.search(r"border of the image +covid +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] +0\.65", printed)
    assert printed.endswith(RESEARCH_USE + "\n")


@pytest.mark.usefixtures("small_forests")
def test_every_planted_fault_is_found(tmp_path, capsys):
    folder = samples.folder(tmp_path / "set", change=samples.mark)
    other_class, other_part = samples.picture(76), samples.picture(77)
    for name, image in (("one", other_class), ("two", other_class[:, ::-1]), ("three", other_part)):
        samples.write(folder / f"images/{name}.png", image)
    samples.write(folder / "images/four.jpg", other_part[6:, 7:])
    with (folder / "labels.csv").open("a") as table:
        table.write("images/one.png,covid,train,p0,clinic 0\nimages/two.png,normal,train,p1,clinic 0\n")
        table.write("images/three.png,covid,train,p0,clinic 0\nimages/four.jpg,covid,test,p0,clinic 0\n")
    code, record = audit(folder, capsys)
    assert code == 1
    pairs = {(one["first"], one["second"]): one["between"] for one in record["duplicates"]["pairs"]}
    assert {frozenset(ends): between for ends, between in pairs.items()} == {
        frozenset(("images/one.png", "images/two.png")): ["classes", "groups"],
        frozenset(("images/three.png", "images/four.jpg")): ["parts"],
    }
    assert record["overlaps"] == [{"parts": ["train", "test"], "groups": 1, "images": [4, 1], "examples": ["p0"]}]
    assert named(record, "border") > 0.65
    words = " ".join(record["verdict"]["findings"])
    for said in ("in two classes", "in two parts", "Parts share groups", "From the border"):
        assert said in words


@pytest.mark.usefixtures("small_forests")
def test_limits_decide_the_exit_code(tmp_path, capsys):
    folder = samples.folder(tmp_path / "set", change=samples.mark)
    assert audit(folder, capsys)[0] == 1
    assert audit(folder, capsys, limits=Limits(max_auc=1))[0] == 0


@pytest.mark.usefixtures("small_forests")
def test_files_are_written_and_pictures_can_be_left_out(tmp_path, capsys):
    folder = samples.folder(tmp_path / "set", groups=24)
    samples.write(folder / "images/0_0.png", samples.picture((1, 0)))
    for options, pictures in ({}, True), ({"pictures": False}, False):
        out = tmp_path / f"out{pictures}"
        assert command.run(str(folder), out=out, **options) == 1
        record = json.loads((out / "audit.json").read_text())
        assert record["format"] == 1
        page = (out / "audit.html").read_text()
        assert ("data:image/jpeg" in page) == pictures
        assert RESEARCH_USE in page
        assert record["verdict"]["headline"] in page
        assert not re.search(r"(src|href)=\"(?!data:)", page)
        assert "<script" not in page
        assert str(out / "audit.html") in capsys.readouterr().out


@pytest.mark.usefixtures("small_forests")
def test_the_same_seed_gives_the_same_numbers(tmp_path, capsys):
    folder = samples.folder(tmp_path / "set", groups=24)
    one, two = (audit(folder, capsys)[1] for _ in range(2))
    assert one | {"time": ""} == two | {"time": ""}


def test_a_built_dataset_is_audited(phantom_data_dir, capsys):
    code, record = audit("phantom/tiny", capsys, data_dir=str(phantom_data_dir))
    assert code == 0
    assert record["name"].startswith("phantom/tiny:")
    assert record["synthetic"]
    assert record["counts"]["train"] == {"covid19": 21, "normal": 18, "other_pneumonia": 21}
    assert record["groups"]["number"] == 36


def test_a_dataset_whose_parts_share_groups_is_audited(faulty, tmp_path, capsys):
    faulty(groups=("a", "a", "b"), info_metadata={"groups_disjoint": False, "reason": "by image"})
    code, record = audit("faulty", capsys, data_dir=str(tmp_path))
    assert code == 1
    assert record["overlaps"][0]["groups"] == 1
    assert any("by image" in text for text in record["verdict"]["cautions"])
    assert any("one class only" in text for text in record["verdict"]["cautions"])


@pytest.mark.parametrize(
    ("target", "message"),
    [("./nowhere", "no such folder"), ("nowhere/", "no such folder"), ("nosuchset", "unknown dataset nosuchset")],
)
def test_what_cannot_be_opened_is_one_line(target, message):
    with pytest.raises(errors.CtcovError, match=message):
        command.run(target)


def test_covid_ct_has_two_pictures_in_two_classes_and_file_types_that_tell(real_data, capsys):
    for seed in (0, 1):
        code, record = audit(real_data / "covid_ct", capsys, seed=seed)
        assert code == 1
        conflicts = [one for one in record["duplicates"]["pairs"] if "classes" in one["between"]]
        assert {frozenset(pathlib.Path(one[end]).name for end in ("first", "second")) for one in conflicts} == {
            frozenset(("kjr-21-e24-p5-29.png", "71%0.jpg")),
            frozenset(("kjr-21-e24-p5-31.png", "71%1.jpg")),
        }
        assert named(record, "file") > 0.85
        assert not record["overlaps"]
        assert all(row["found"] == row["published"] for row in record["published"]["rows"])


def test_cxr_covid_has_sources_that_tell(real_data, capsys):
    for seed in (0, 1):
        code, record = audit(real_data / "cxr_covid", capsys, seed=seed)
        assert code == 1
        assert named(record, "source") > 0.9
        assert named(record, "file") > 0.8
        assert any("From the source" in text for text in record["verdict"]["findings"])
