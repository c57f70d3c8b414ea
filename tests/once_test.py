import pytest

from tests.once import once


def test_a_folder_is_built_once(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        (folder / "file").write_text("whole")

    first, second = (once(tmp_path / "shared", "thing", build) for _ in range(2))
    assert built == [first] == [second]
    assert (first / "file").read_text() == "whole"


def test_what_is_not_finished_is_built_anew(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(tmp_path, "thing", fail)
    folder = once(tmp_path, "thing", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
