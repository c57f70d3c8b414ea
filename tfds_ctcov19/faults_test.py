"""What goes wrong while data are built: one clear line, nothing half-built left, and the next build completes."""

import hashlib
import http.server
import pathlib
import resource
import shutil
import subprocess
import sys
import threading

import pytest
import tensorflow_datasets as tfds

from tfds_ctcov19 import records, testing
from tfds_ctcov19.covid_ct import covid_ct_dataset_builder
from tfds_ctcov19.errors import DatasetError

Builder = covid_ct_dataset_builder.Builder
DUMMY_DATA = pathlib.Path(covid_ct_dataset_builder.__file__).parent / "dummy_data"
PROJECT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def archive(tmp_path) -> pathlib.Path:
    """A copy of the dummy archive that a test may damage."""
    return pathlib.Path(shutil.copytree(DUMMY_DATA, tmp_path / "archive"))


@pytest.fixture
def zipped(archive) -> bytes:
    return pathlib.Path(shutil.make_archive(str(archive.parent / "packed"), "zip", archive)).read_bytes()


class Served:
    """What the server gives: `content`, of which it sends `length` bytes and then hangs up."""

    content = b""
    length: int | None = None
    asked = 0


@pytest.fixture
def served(monkeypatch, zipped):
    """A server that the builder downloads from."""
    state = Served()
    state.content = zipped

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(state.content)))
            self.end_headers()
            self.wfile.write(state.content[: state.length])

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(Builder, "URL", f"http://127.0.0.1:{server.server_address[1]}/covid-ct.zip")
        yield state
        server.shutdown()


def download(tmp_path: pathlib.Path) -> tfds.core.DatasetBuilder:
    builder = Builder(config="conflicts_dropped", data_dir=tmp_path / "built")
    config = tfds.download.DownloadConfig(manual_dir=tmp_path / "nowhere")
    builder.download_and_prepare(download_config=config, download_dir=tmp_path / "downloads")
    return builder


def left_over(tmp_path: pathlib.Path) -> list[str]:
    """Files and folders that a failed build may not leave."""
    found = [path for path in tmp_path.rglob("*") if "incomplete" in path.name or ".tmp." in path.name]
    return [str(path) for path in (*found, *(tmp_path / "built").rglob("*1.0.0*"))]


def test_an_interrupted_download_is_fetched_again(tmp_path, served):
    served.length = len(served.content) // 2
    with pytest.raises(DatasetError, match="download failed") as error:
        download(tmp_path)
    assert "\n" not in str(error.value)
    assert left_over(tmp_path) == []
    served.length = None
    assert testing.report_of(download(tmp_path))["images"]["train"] == {"covid19": 2, "non_covid19": 2}


def test_a_download_that_is_no_archive_is_fetched_again(tmp_path, served, zipped):
    served.content = b"<html>try again later</html>"
    with pytest.raises(DatasetError, match="cannot be unpacked") as error:
        download(tmp_path)
    assert "\n" not in str(error.value)
    assert left_over(tmp_path) == []
    served.content = zipped
    assert testing.report_of(download(tmp_path))["images"]["train"] == {"covid19": 2, "non_covid19": 2}
    assert served.asked == 2


def test_a_wrong_checksum_is_refused_and_the_right_archive_taken_then(tmp_path, served, zipped, monkeypatch):
    checksum = tfds.core.download.checksums.UrlInfo(
        size=len(zipped), checksum=hashlib.sha256(zipped).hexdigest(), filename="covid-ct.zip"
    )
    monkeypatch.setattr(Builder, "url_infos", {Builder.URL: checksum})
    served.content = zipped[:-1] + b"x"
    with pytest.raises(DatasetError, match="NonMatchingChecksumError") as error:
        download(tmp_path)
    assert "\n" not in str(error.value)
    assert left_over(tmp_path) == []
    served.content = zipped
    assert testing.report_of(download(tmp_path))["images"]["train"] == {"covid19": 2, "non_covid19": 2}


def test_an_archive_that_changed_is_unpacked_again(tmp_path, archive):
    manual = tmp_path / "manual"
    manual.mkdir()
    shutil.make_archive(str(manual / "COVID-CT"), "zip", archive)
    before = testing.rows_of(testing.build(Builder, manual, "as_released", "first"))
    image = archive / "Images" / "CT_COVID" / "2020.02.01.1-p1-1.png"
    image.write_bytes((archive / "Images" / "CT_COVID" / "2020.03.01.2-p2-1.png").read_bytes())
    shutil.make_archive(str(manual / "COVID-CT"), "zip", archive)
    after = testing.rows_of(testing.build(Builder, manual, "as_released", "first/../second"))
    name = "CT_COVID/2020.02.01.1-p1-1.png"
    assert after[name]["image"] == image.read_bytes() != before[name]["image"]


def test_a_file_that_changes_during_the_build_is_an_error(archive, monkeypatch):
    image = archive / "Images" / "CT_COVID" / "2020.02.01.1-p1-1.png"
    content = image.read_bytes()
    read_all = records.read_all

    def read_and_change(found):
        answer = read_all(found)
        image.write_bytes(content[:-12])
        return answer

    monkeypatch.setattr(records, "read_all", read_and_change)
    with pytest.raises(DatasetError, match=r"2020\.02\.01\.1-p1-1\.png: changed during the build"):
        testing.build(Builder, archive, "as_released")
    assert left_over(archive.parent) == []
    monkeypatch.setattr(records, "read_all", read_all)
    image.write_bytes(content)
    assert testing.report_of(testing.build(Builder, archive, "as_released"))["images"]


def test_files_that_cannot_be_read_are_named_in_the_report(archive):
    image = archive / "Images" / "CT_COVID" / "2020.02.01.1-p1-1.png"
    image.unlink()
    image.symlink_to(archive / "gone")
    report = testing.report_of(testing.build(Builder, archive, "as_released"))
    assert {"file": "CT_COVID/2020.02.01.1-p1-1.png", "reason": "cannot be read: No such file or directory"} in report[
        "unreadable"
    ]


def test_a_key_that_is_given_twice_is_refused(archive):
    names = archive / "Data-split" / "COVID" / "trainCT_COVID.txt"
    listed = names.read_text().split("\n")[0]
    made = records.Record(path=None, image_id=listed, label="covid19", split="train", group_id="1", source="")
    with pytest.raises(DatasetError, match="listed twice"):
        records.check([made, made], {"train": {"covid19": 2}}, "covid_ct")


def limited(megabytes: float) -> None:
    """Lets a process write no file above a size, which is how a full disk looks to who writes one."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(megabytes * 2**20),) * 2)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "tensorflow_datasets.scripts.cli.main", "build", "tfds_ctcov19/phantom"]
    command += ["--config", "tiny", "--data_dir", str(tmp_path / "built")]
    full = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, timeout=300, preexec_fn=lambda: limited(0.1)
    )
    assert full.returncode == 2, full.stderr[-3000:]
    assert "Traceback" not in full.stderr
    assert "cannot be written" in full.stdout + full.stderr
    assert not [path for path in (tmp_path / "built").rglob("*") if "1.0.0" in path.name]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
