import os

import fsspec
import pytest

from ctcov_tf import errors
from ctcov_tf.screening import places
from ctcov_tf.screening.places import Found, Place


def test_files_are_listed_in_order_and_links_to_folders_not_followed(tmp_path):
    for name in ("b/2", "b/10", "a/x", "top"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "top")
    (tmp_path / "a" / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    assert list(places.walk(Place(str(tmp_path)))) == [
        Found("pipe", -1),
        Found("top", 5),
        Found("a/circle", -1),
        Found("a/link", 5),
        Found("a/nowhere", -1),
        Found("a/x", 5),
        Found("b/10", 5),
        Found("b/2", 5),
    ]


def test_another_file_system_is_listed_alike():
    fs = fsspec.filesystem("memory")
    fs.pipe({"/listed/b/x": b"1", "/listed/a": b"12"})
    assert list(places.walk(Place("memory://listed/"))) == [Found("a", 2), Found("b/x", 1)]


@pytest.mark.parametrize("address", ["nowhere", "memory://nowhere"])
def test_no_folder_is_refused_by_name(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.CtcovError, match=f"^{address}: no such folder: "):
        list(places.walk(Place(address)))


def test_no_such_protocol_is_refused():
    with pytest.raises(errors.CtcovError, match="gopher"):
        Place("gopher://x").fs  # noqa: B018


@pytest.mark.parametrize("root", ["{}", "memory://written"])
def test_a_file_is_whole_or_not_there(root, tmp_path):
    folder = Place(root.format(tmp_path))
    beside = folder / "beside"
    beside.fs.makedirs(beside.path, exist_ok=True)
    places.write(folder / "x", beside, lambda file: file.write(b"old"))

    def fails(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        places.write(folder / "x", beside, fails)
    assert folder.fs.cat_file((folder / "x").path) == b"old"
    assert beside.names() == []
    places.write(folder / "x", beside, lambda file: file.write(b"new"))
    assert folder.fs.cat_file((folder / "x").path) == b"new"
