import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

from ctcov_tf.serving.page import uploads as uploads_lib
from ctcov_tf.serving.page.uploads import TooMuch, Uploads
from ctcov_tf.serving.settings import Limits

ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Uploads(Limits(body=1000, slices=5))
    yield made
    made.close()


def files_of(uploads):
    return [path for path in uploads.folder.iterdir() if not path.name.startswith(".")]


def test_a_file_is_taken_once_and_leaves_nothing(uploads):
    ticket = uploads.keep(ONE, "a.png", b"content")
    assert uploads.owns(ONE, ticket)
    assert not uploads.owns(OTHER, ticket)
    assert str(uploads.folder) not in ticket
    assert uploads.take([ticket, ticket, "none"]) == [("a.png", b"content")]
    assert not files_of(uploads)
    assert not uploads.owns(ONE, ticket)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "..", "a\\b\\c.png", "", "x\n\x1b[2Jy", "n" * 5000, "\0"])
def test_a_name_is_no_place(uploads, name):
    ticket = uploads.keep(ONE, name, b"content")
    ((kept, content),) = uploads.take([ticket])
    assert content == b"content"
    assert kept.isprintable()
    assert "/" not in kept
    assert 0 < len(kept) <= uploads_lib.LONGEST_NAME


def test_a_visitor_and_all_together_leave_at_most_so_much(uploads):
    with pytest.raises(TooMuch, match="more than 8000 bytes"):
        uploads.keep(ONE, "large", bytes(8001))
    for _ in range(5):
        uploads.keep(ONE, "a", b"1")
    with pytest.raises(TooMuch, match="too many files"):
        uploads.keep(ONE, "sixth", b"1")
    for visitor in range(8):
        with contextlib.suppress(TooMuch):
            uploads.keep(f"{visitor:032}", "a", bytes(7000))
    everything = sum(path.stat().st_size for path in files_of(uploads))
    assert everything <= Limits(body=1000).visitors_bytes


def test_files_that_nobody_asks_about_are_forgotten(uploads, monkeypatch):
    ticket = uploads.keep(ONE, "a", b"1")
    monkeypatch.setattr(uploads_lib, "FORGET_SECONDS", -1)
    uploads.room_for(OTHER)
    assert not uploads.owns(ONE, ticket)
    assert not files_of(uploads)


def test_the_folder_of_a_killed_server_goes_with_the_next_and_that_of_a_living_one_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os; from ctcov_tf.serving.page.uploads import Uploads; from ctcov_tf.serving.settings import Limits; "
        "made = Uploads(Limits()); made.keep('1' * 32, 'scan', b'patient'); print(made.folder, flush=True); "
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    killed = subprocess.run(
        [sys.executable, "-c", code + "os._exit(1)"], env=environment, capture_output=True, text=True
    )
    with subprocess.Popen(
        [sys.executable, "-c", code + "input()"], env=environment, stdin=-1, stdout=-1, text=True
    ) as living:
        alive = pathlib.Path(living.stdout.readline().strip())
        dead = pathlib.Path(killed.stdout.strip())
        (tmp_path / f"{uploads_lib.PREFIX}link").symlink_to(tmp_path)
        made = Uploads(Limits())
        assert alive.is_dir()
        assert not dead.exists()
        assert tmp_path.is_dir()
        made.close()
        assert not made.folder.exists()
        living.communicate("\n")
