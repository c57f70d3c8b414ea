import pathlib

from etils import epath
import pytest

from tfds_ctcov19 import duplicates
from tfds_ctcov19.errors import DatasetError
from tfds_ctcov19.image_files import ImageFacts
from tfds_ctcov19.records import Record


def record(folder: pathlib.Path, name: str, content: bytes, group: str, label: str = "normal") -> Record:
    (folder / name).write_bytes(content)
    facts = ImageFacts("PNG", "L", 8, 8, len(content))
    return Record(epath.Path(folder / name), name, label, "", group, "", facts=facts)


def test_groups_that_hang_together_get_the_first_name():
    merged = duplicates.merge_groups(["d", "c", "b", "a", "e"], [("d", "c"), ("b", "c")])
    assert merged == {"a": "a", "b": "b", "c": "b", "d": "b", "e": "e"}


def test_one_of_three_copies_is_kept_and_their_patients_merged(tmp_path):
    images = [
        record(tmp_path, "3.png", b"same", "patient3"),
        record(tmp_path, "1.png", b"same", "patient1"),
        record(tmp_path, "2.png", b"same", "patient2"),
        record(tmp_path, "4.png", b"else", "patient3"),  # as long as the others
        record(tmp_path, "5.png", b"longer", "patient4"),
    ]
    kept, dropped = duplicates.drop_identical(images, "films")
    assert [(image.image_id, image.group_id) for image in kept] == [
        ("1.png", "patient1"),
        ("4.png", "patient1"),
        ("5.png", "patient4"),
    ]
    assert {omission.file for omission in dropped} == {"2.png", "3.png"}


def test_copies_with_two_labels_are_refused(tmp_path):
    images = [record(tmp_path, "1.png", b"same", "a"), record(tmp_path, "2.png", b"same", "a", label="covid19")]
    with pytest.raises(DatasetError, match=r"films: 2.png: covid19, and the same bytes as 1.png: normal: remove"):
        duplicates.drop_identical(images, "films")
