import os

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


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    for name in (".model.keras.a1b2_3d4", ".checkpoints.zzzzzzzz", ".git", ".hidden", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / ".file.a1b2c3d4").touch()
    files.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".git", ".hidden", "logs", ".file.a1b2c3d4"}
    files.remove_leftovers(tmp_path / "nowhere")


def test_a_folder_whose_removal_was_interrupted_is_gone(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "rmtree", lambda *_, **__: None)
        files.remove_folder(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    files.remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())
    files.remove_folder(tmp_path / "folder")


def test_pipes_devices_and_folders_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name, error in ("pipe", files.IrregularFile), ("link", files.IrregularFile), (".", IsADirectoryError):
        with pytest.raises(error):
            files.read_bytes(tmp_path / name)


def test_a_file_is_read_to_a_limit_whatever_size_it_states(tmp_path):
    (tmp_path / "file").write_bytes(bytes(1000))
    assert files.read_bytes(tmp_path / "file", 1000) == bytes(1000)
    with pytest.raises(OSError, match="over the limit of 999 bytes"):
        files.read_bytes(tmp_path / "file", 999)
    with pytest.raises(OSError, match="over the limit of 3 bytes"):
        files.read_bytes("/proc/self/status", 3)
