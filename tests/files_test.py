import pytest

from ctcov_tf import files


def test_file_appears_whole(tmp_path):
    files.write_text(tmp_path / "new" / "a.txt", "text")
    assert (tmp_path / "new" / "a.txt").read_text() == "text"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half():
        with files.atomic_path(target) as written:
            written.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk"):
        write_half()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folder_replaces_folder(tmp_path):
    for content in ("one", "two"):
        with files.atomic_path(tmp_path / "folder") as written:
            written.mkdir()
            (written / content).write_text(content)
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_failed_folder_leaves_the_old_one(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()

    def make_half():
        with files.atomic_path(tmp_path / "folder") as written:
            written.mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        make_half()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["old"]


def test_names_that_are_taken_get_a_number():
    taken = set()
    assert [files.unused_name(stem, taken) for stem in ("a", "b", "a", "a")] == ["a", "b", "a_2", "a_3"]


def test_the_hash_is_that_of_the_content(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert files.sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
