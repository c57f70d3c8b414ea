import pathlib
import types
import zipfile

from etils import epath
import pytest

from tfds_ctcov19 import archives
from tfds_ctcov19.errors import DatasetError


def zip_file(path: pathlib.Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> epath.Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return epath.Path(path)


def unpacked(folder: epath.Path) -> dict[str, bytes]:
    found = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def folder(tmp_path) -> epath.Path:
    return epath.Path(tmp_path / "unpacked")


def refused(archive: epath.Path, folder: epath.Path) -> str:
    """The error of an archive; nothing may be left of it."""
    with pytest.raises(DatasetError) as error:
        archives.unpack(archive, folder)
    assert not folder.exists() or not list(folder.iterdir())
    message = str(error.value)
    assert message.startswith(f"{archive}: ")
    assert "\n" not in message
    return message


def test_all_but_hidden_files_are_unpacked_once(tmp_path, folder):
    members = {"a/1.png": b"1", "b.csv": b"2", "a/.DS_Store": b"3", "__MACOSX/a/._1.png": b"4"}
    archive = zip_file(tmp_path / "x.zip", members)
    place = archives.unpack(archive, folder)
    assert unpacked(place) == {"a/1.png": b"1", "b.csv": b"2"}
    (place / "mark").write_text("")
    assert archives.unpack(archive, folder) == place
    assert (place / "mark").exists()


def test_another_archive_of_the_same_name_is_unpacked_anew(tmp_path, folder):
    archive = zip_file(tmp_path / "x.zip", {"1.png": b"old"})
    archives.unpack(archive, folder)
    zip_file(tmp_path / "x.zip", {"1.png": b"new"})
    assert unpacked(archives.unpack(archive, folder)) == {"1.png": b"new"}


@pytest.mark.parametrize("name", ["../escaped.png", "a/../../escaped.png", "/escaped.png", "..\\escaped.png"])
def test_a_name_that_leads_out_is_refused(tmp_path, folder, name):
    archive = zip_file(tmp_path / "x.zip", {"a/1.png": b"1", name: b"2"})
    assert "leads out of the archive" in refused(archive, folder)
    assert not [path for path in tmp_path.rglob("*") if "escaped" in path.name]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, folder):
    archive = zip_file(tmp_path / "x.zip", {"1.png": bytes(archives.FREE_BYTES + 1)}, zipfile.ZIP_DEFLATED)
    assert archive.stat().length < 1 << 18
    assert "no archive of images does" in refused(archive, folder)


def test_a_file_that_is_longer_than_the_archive_says_is_refused(tmp_path, folder):
    archive = zip_file(tmp_path / "x.zip", {"1.png": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    data = bytearray(archive.read_bytes())
    for place in (data.find(b"PK\x03\x04") + 22, data.find(b"PK\x01\x02") + 24):
        data[place : place + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(bytes(data))
    assert "cannot be unpacked" in refused(archive, folder)


def test_a_name_that_stands_twice_is_refused(tmp_path, folder):
    archive = zip_file(tmp_path / "x.zip", {"a/1.png": b"1", "a/./1.png": b"2"})
    assert "holds a/1.png twice" in refused(archive, folder)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"<html>404</html>", bytes.upper])
def test_a_damaged_archive_is_refused(tmp_path, folder, damage):
    archive = zip_file(tmp_path / "x.zip", {"a/1.png": b"some content" * 50})
    archive.write_bytes(damage(archive.read_bytes()))
    assert "cannot be unpacked" in refused(archive, folder)


def test_more_than_is_free_is_refused(tmp_path, folder, monkeypatch):
    archive = zip_file(tmp_path / "x.zip", {"1.png": b"12345"})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda place: types.SimpleNamespace(free=4))
    assert "unpacks to 5 bytes, 4 are free" in refused(archive, folder)
