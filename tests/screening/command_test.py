import json
import os
import signal
import subprocess
import sys
import time

import fsspec
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ctcov_tf import RESEARCH_USE, cli, errors, predict, predictor
from ctcov_tf.edge import runner
from ctcov_tf.images import pseudonym
from ctcov_tf.screening import pipeline, places
from tests.images import dicom_samples as samples
from tests.screening.conftest import archive_files, png


def table(place) -> pd.DataFrame:
    return pd.read_parquet(place)


@pytest.fixture
def answered(monkeypatch):
    """Images that the runtime is asked for."""
    images = []
    call = runner.EdgeModel.__call__

    def counted(self, image):
        images.append(image)
        return call(self, image)

    monkeypatch.setattr(runner.EdgeModel, "__call__", counted)
    return images


def test_answers_are_those_of_predict(screen, archive, mean_grey_file, tmp_path, capsys):
    found = screen(archive)
    answers = table(tmp_path / "results.parquet").set_index("path")
    assert found["files"] == len(archive_files())
    assert (found["answered"], found["again"], found["slices"]) == (9, 0, 9) == (len(answers), 0, len(answers))
    opened = predictor.load(mean_grey_file)
    for name in ("a.png", "b/c.png"):
        expected = opened.predict((archive / name).read_bytes(), name)
        assert (answers.probability[name], answers.label[name]) == (expected.probability, expected.label)
        assert pd.isna(answers.study[name])
    predict.predict_command(mean_grey_file, [archive / "study"], as_json=True)
    *slices, study = map(json.loads, capsys.readouterr().out.splitlines())
    of_study = answers[answers.study.notna()].sort_values(["series", "position_mm"])
    columns = ["study", "series", "instance_number", "position_mm", "probability", "label"]
    expected = pd.DataFrame(slices).sort_values(["series", "position_mm"])
    assert of_study[columns].to_dict("list") == expected[columns].to_dict("list")
    (row,) = table(tmp_path / "results.studies.parquet").to_dict("records")
    assert (row["study"], row["decided_by"], row["series"]) == (study["study"], study["decided_by"], 2)
    assert (row["maximum"], row["mean_of_highest"]) == pytest.approx((study["maximum"], study["mean_of_highest"]))


def test_bad_files_are_in_quarantine_with_their_reason(screen, archive, tmp_path):
    os.mkfifo(archive / "pipe")
    (archive / "gone.png").symlink_to(tmp_path / "gone")
    found = screen(archive)
    quarantine = table(tmp_path / "results.quarantine.parquet").set_index("path")
    assert quarantine.kind.to_dict() == {
        "study/scout": "unsuitable",
        "b/cut.png": "unreadable",
        "b/empty.jpg": "unreadable",
        "readme.txt": "unreadable",
        "pipe": "unreadable",
        "gone.png": "unreadable",
    }
    assert quarantine.reason["readme.txt"] == "not a PNG, JPEG or BMP image: convert it to PNG"
    assert quarantine.reason["study/scout"].startswith("localizer")
    assert quarantine.reason["pipe"] == "no regular file"
    assert sum(found["quarantine"]["unreadable"].values()) == 5


def test_files_over_the_limit_of_bytes_are_not_read(screen, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_BYTES", 200)
    monkeypatch.setattr(places, "read", _small_only(places.read))
    screen(archive)
    quarantine = table(tmp_path / "results.quarantine.parquet").set_index("path")
    assert quarantine.reason["study/1/0.dcm"] == "over the limit of 200 bytes"


def test_a_file_that_states_no_size_is_read_to_the_limit(screen, archive, tmp_path, monkeypatch):
    (archive / "endless.png").symlink_to("/proc/self/environ")
    monkeypatch.setenv("LONG", "x" * 3000)
    monkeypatch.setattr(pipeline, "MAX_BYTES", 2500)
    screen(archive)
    quarantine = table(tmp_path / "results.quarantine.parquet").set_index("path")
    assert quarantine.reason["endless.png"].startswith(("cannot be read (over the limit of 2,500 bytes)", "not a PNG"))


def test_two_calls_into_one_table_do_not_mix(screen, archive, tmp_path):
    code = (
        "import pathlib, sys; from ctcov_tf import locks\n"
        "with locks.held(pathlib.Path(sys.argv[1]), 'written'):\n    print('held', flush=True); input()"
    )
    work = tmp_path / "results.parts" / "screening"
    with subprocess.Popen([sys.executable, "-c", code, work], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(errors.CtcovError, match=rf"screening: is being written by process {other.pid} on "):
            screen(archive)
        other.communicate("\n")
    assert screen(archive)["answered"] == 9
    assert not (tmp_path / "results.parts").exists()


def test_a_full_disk_is_one_line(archive, mean_grey_file, tmp_path):
    """No file may grow beyond 600 bytes: every write of a table fails as on a full disk."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from ctcov_tf import cli; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)); cli.main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "screen", archive, "--model", mean_grey_file, "--out", tmp_path / "r.parquet"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "File too large" in lines[0]


def _small_only(read):
    def small(fs, path, limit):
        data = read(fs, path, limit)
        assert len(data) <= 200, path
        return data

    return small


def test_a_second_call_answers_only_what_is_new(screen, archive, tmp_path, answered):
    screen(archive)
    assert len(answered) == 9
    first = table(tmp_path / "results.parquet").set_index("path")
    (archive / "new.png").write_bytes(png(7))
    (archive / "a.png").rename(archive / "moved.png")
    (archive / "b" / "c.png").unlink()
    found = screen(archive)
    assert len(answered) == 10
    assert (found["answered"], found["again"]) == (9, 8)
    second = table(tmp_path / "results.parquet").set_index("path")
    assert second.index.is_unique
    assert set(second.index) == {*first.index, "new.png", "moved.png"} - {"a.png", "b/c.png"}
    assert second.probability["moved.png"] == first.probability["a.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "archive",
        "results.html",
        "results.parquet",
        "results.quarantine.parquet",
        "results.studies.parquet",
    ]


def test_results_may_lie_in_the_archive(screen, archive, answered):
    first = screen(archive, archive / "results.parquet")
    second = screen(archive, archive / "results.parquet")
    assert second["files"] == first["files"]
    assert len(answered) == 9


def test_other_file_systems_and_several_workers_give_the_same(screen, archive, tmp_path):
    screen(archive)
    fsspec.filesystem("memory").pipe({f"/archive/{name}": data for name, data in archive_files().items()})
    screen("memory://archive", "memory://out/results.parquet", workers=3)
    with fsspec.open("memory://out/results.parquet", "rb") as file:
        found = pd.read_parquet(file)
    expected = table(tmp_path / "results.parquet")
    assert sorted(found.to_csv(index=False).splitlines()) == sorted(expected.to_csv(index=False).splitlines())
    assert not fsspec.filesystem("memory").exists("/out/results.parts")


def test_worker_processes_give_the_same(screen, archive, tmp_path):
    screen(archive)
    options = ["direct_running_mode=multi_processing", "direct_num_workers=2"]
    screen(archive, tmp_path / "processes.parquet", beam_options=options)
    expected, found = (table(tmp_path / f"{name}.parquet").sort_values("path") for name in ("results", "processes"))
    assert found.to_csv(index=False) == expected.to_csv(index=False)


def test_nothing_of_a_patient_is_written(screen, archive, tmp_path):
    screen(archive)
    secret = [*samples.PATIENT.values(), samples.STUDY, samples.SERIES, os.environ[pseudonym.KEY_VARIABLE]]
    for place in tmp_path.glob("results*"):
        text = table(place).to_csv() if place.suffix == ".parquet" else place.read_text()
        metadata = str(pq.read_schema(place).metadata) if place.suffix == ".parquet" else ""
        assert RESEARCH_USE in (metadata or text)
        for value in secret:
            assert value not in text + metadata


def test_studies_under_a_drawn_key_are_answered_anew(screen, archive, tmp_path, answered, monkeypatch, capsys):
    monkeypatch.delenv(pseudonym.KEY_VARIABLE)
    screen(archive)
    first = table(tmp_path / "results.parquet").set_index("path")
    assert screen(archive)["again"] == 3
    assert len(answered) == 9 + 6
    second = table(tmp_path / "results.parquet").set_index("path")
    assert len(second) == len(first) == 9
    assert not set(first.study.dropna()) & set(second.study.dropna())


def test_answers_of_another_model_or_window_are_not_mixed(screen, archive, tmp_path, mean_grey_file):
    screen(archive)
    before = (tmp_path / "results.parquet").read_bytes()
    with pytest.raises(errors.CtcovError, match="another window"):
        screen(archive, window=(40, 400))
    other = tmp_path / "other.tflite"
    other.write_bytes(mean_grey_file.read_bytes() + b" ")
    with pytest.raises(errors.CtcovError, match=r"another model \(mean_grey\)"):
        screen(archive, model=str(other))
    (tmp_path / "foreign.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(errors.CtcovError, match="not written by this version"):
        screen(archive, tmp_path / "foreign.parquet")
    assert (tmp_path / "results.parquet").read_bytes() == before
    assert not list(tmp_path.glob("*.parts"))


def test_a_killed_call_leaves_nothing_half_written_and_is_gone_on_with(screen, archive, tmp_path, mean_grey_file):
    for number in range(40):
        (archive / f"{number}.png").write_bytes(png(number, side=20))
    slow = (
        "import sys, time\n"
        "from ctcov_tf.screening import command, pipeline\n"
        "from ctcov_tf.edge import runner\n"
        "pipeline.SPAN = 4\n"
        "call = runner.EdgeModel.__call__\n"
        "runner.EdgeModel.__call__ = lambda self, image: (time.sleep(0.2), call(self, image))[1]\n"
        "command.run(sys.argv[1], sys.argv[2], sys.argv[3], workers=1)\n"
    )
    out = tmp_path / "results.parquet"
    with subprocess.Popen([sys.executable, "-c", slow, archive, mean_grey_file, out]) as process:
        until = time.monotonic() + 120
        while len(list(tmp_path.glob("results.parts/*/answers-*"))) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert [path.name for path in tmp_path.glob("results*")] == ["results.parts"]
    found = screen(archive)
    assert 12 <= found["again"] < found["answered"] == 49
    answers = table(out)
    assert answers.path.is_unique
    fresh = screen(archive, tmp_path / "fresh.parquet")
    assert {name: found[name] for name in ("labels", "histogram", "quarantine", "studies")} == {
        name: fresh[name] for name in ("labels", "histogram", "quarantine", "studies")
    }


def test_the_command_prints_a_summary_and_writes_a_page(archive, mean_grey_file, tmp_path, capsys):
    out = tmp_path / "results.parquet"
    with pytest.raises(SystemExit) as end:
        cli.main(["screen", str(archive), "--model", str(mean_grey_file), "--out", str(out), "--workers", "1"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert "13 files: 9 answered (0 of them before), 4 in quarantine" in printed
    assert printed.endswith(f"{RESEARCH_USE}\n")
    page = out.with_suffix(".html").read_text()
    assert RESEARCH_USE in page
    assert "not a PNG, JPEG or BMP image" in page


@pytest.mark.parametrize(
    ("root", "options", "message"),
    [
        ("nowhere", {}, "no such folder"),
        ("empty", {}, "no file in it"),
        ("archive", {"out": "results.csv"}, "a file that ends in .parquet"),
        ("archive", {"model": "nowhere.tflite"}, "no such model"),
        ("archive", {"beam_options": ["direct_num_workers=many"]}, "Beam does not take such options"),
    ],
)
def test_what_cannot_be_screened_is_refused_and_leaves_nothing(screen, archive, tmp_path, root, options, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.CtcovError, match=message):
        screen(tmp_path / root, **options)
    assert not list(tmp_path.glob("results*"))


def test_nothing_answered_is_exit_code_2(mean_grey_file, tmp_path):
    from ctcov_tf.screening import command

    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "x.txt").write_bytes(b"text")
    (folder / os.fsdecode(b"\xff.txt")).write_bytes(b"a name that is no UTF-8")
    assert command.run(str(folder), str(mean_grey_file), str(tmp_path / "x.parquet"), workers=1) == 2
    assert set(table(tmp_path / "x.quarantine.parquet").path) == {"x.txt", "\\xff.txt"}
