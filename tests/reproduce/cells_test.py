import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from ctcov_tf import errors, locks, run_directory
from ctcov_tf.reproduce import cells
from ctcov_tf.reproduce.cells import Cell
from ctcov_tf.reproduce.judging import Judging
from ctcov_tf.reproduce.protocol import Protocol
from ctcov_tf.training import train

JUDGING = Judging("a test")

WORK = """
import json, pathlib, sys
from ctcov_tf import config as config_lib
from ctcov_tf.reproduce import cells
from ctcov_tf.reproduce.judging import Judging
config = config_lib.from_dict(json.loads(sys.argv[1]))
cell = cells.Cell("small_cnn", "small", "small_cnn", config, pathlib.Path(sys.argv[2]))
cells.work([cell], Judging("a test"))
"""


@pytest.fixture
def cell(tmp_path, phantom_data_dir):
    protocol = Protocol("phantom/tiny", str(phantom_data_dir), image_size=32, epochs=2)
    return Cell("small_cnn", "small, seed 0", "small_cnn", protocol.config("small_cnn"), tmp_path / "small_seed0")


def test_a_killed_training_goes_on_with_the_epoch_after_its_last(cell, capfd):
    from ctcov_tf import config as config_lib

    cell = dataclasses.replace(
        cell, config=dataclasses.replace(cell.config, train=dataclasses.replace(cell.config.train, epochs=30))
    )
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, json.dumps(config_lib.to_dict(cell.config)), str(cell.path)],
        cwd=pathlib.Path(__file__).parents[2],
    )
    history = cell.path / "history.csv"
    try:
        limit = time.monotonic() + 600
        while not (history.is_file() and len(history.read_text().splitlines()) > 2):
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.02)
        with locks.try_lock(cell.path) as holder:
            assert holder.pid == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (cell.path / "calibration.json").exists()

    assert cells.work([cell], JUDGING) == {}
    assert pd.read_csv(history)["epoch"].tolist() == list(range(30))
    log = (cell.path / "log.txt").read_text()
    assert log.count("Epoch 1/30") == 1, "the first epoch was trained again"
    assert "Epoch 30/30" in log
    assert not locks.lock_file(cell.path).exists()
    run = run_directory.load(cell.path)
    assert len(run.test_readings_file.read_text().splitlines()) == 1
    printed = capfd.readouterr()
    assert "[1/1] small, seed 0: done in" in printed.err
    assert "Epoch" not in printed.out

    before = run.metrics_file.stat().st_mtime_ns
    assert cells.work([cell], JUDGING) == {}
    assert run.metrics_file.stat().st_mtime_ns == before


@pytest.fixture
def done(monkeypatch):
    """Names of the cells that were done, in order; nothing is trained."""
    names = []
    monkeypatch.setattr(cells, "_do", lambda cell, *_: names.append(cell.path.name))
    return names


def of_name(cell, name):
    return dataclasses.replace(cell, path=cell.path.with_name(name))


def test_a_cell_of_another_process_is_waited_for_and_done_last(cell, done, monkeypatch, capsys):
    code = (
        "import pathlib, sys; from ctcov_tf import locks\n"
        "with locks.try_lock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    first, second = of_name(cell, "a"), of_name(cell, "b")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(first.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        monkeypatch.setattr(cells.time, "sleep", lambda _: process.communicate())  # until the other has ended
        cells.work([first, second], JUDGING)
    assert done == ["b", "a"]
    assert capsys.readouterr().err.count("waiting for small, seed 0 (process ") == 1


def test_a_failure_stops_or_leaves_the_others(cell, monkeypatch, done):
    def fail(cell, *_):
        if cell.path.name == "a":
            raise errors.CtcovError("a: diverged\nbadly")
        done.append(cell.path.name)

    monkeypatch.setattr(cells, "_do", fail)
    both = [of_name(cell, "a"), of_name(cell, "b")]
    assert cells.work(both, JUDGING, keep_going=True) == {"a": "a: diverged\\nbadly"}
    assert done == ["b"]
    with pytest.raises(errors.CtcovError, match="diverged"):
        cells.work(both, JUDGING)
    assert done == ["b"]


def test_other_settings_in_the_folder_are_refused(cell):
    cells.begin([cell])
    cells.begin([cell])
    other = dataclasses.replace(cell, config=Protocol("phantom/tiny", cell.config.data.data_dir).config("small_cnn", 1))
    with pytest.raises(errors.CtcovError, match=r"small_seed0: was trained with another .*--seed.*: choose another"):
        cells.begin([other])
    with pytest.raises(errors.CtcovError, match="was trained from preset small_cnn"):
        cells.begin([dataclasses.replace(cell, preset="deep_ct_net_tiny")])


def test_what_a_killed_process_had_begun_to_write_is_no_cell(cell):
    (cell.path / ".config.json.abc").mkdir(parents=True)
    (cell.path / ".config.json.abc" / "config.json").write_text("{")
    cells.begin([cell])
    assert run_directory.load(cell.path).preset == "small_cnn"


def test_a_folder_of_something_else_is_not_touched(cell):
    cell.path.mkdir()
    (cell.path / "thesis.txt").write_text("mine")
    with pytest.raises(errors.CtcovError, match="this is no run directory"):
        cells.begin([cell])
    assert (cell.path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("reply", [False, errors.CtcovError("interrupted before the first epoch")])
def test_ctrl_c_is_an_interruption_whenever_it_comes(cell, monkeypatch, reply):
    def interrupted(run):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if isinstance(reply, Exception):
                raise reply from None
        return reply

    monkeypatch.setattr(train, "train", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        cells.work([cell], JUDGING, keep_going=True)
    assert signal.getsignal(signal.SIGINT) is before
    assert not locks.lock_file(cell.path).exists()
    assert cells.seconds(cell.path) > 0


def test_an_error_of_training_stays_one(cell, monkeypatch):
    def fail(run):
        raise errors.CtcovError("too few images")

    monkeypatch.setattr(train, "train", fail)
    assert cells.work([cell], JUDGING, keep_going=True) == {"small_seed0": "too few images"}


def test_time_left_comes_from_what_is_done_or_was_expected(cell):
    one, two, other = (of_name(cell, name) for name in "abc")
    other = dataclasses.replace(other, arm="other")
    clock = cells._Clock([one, two, other], {})
    assert clock.left([one, two, other]) == "3 left"
    one.path.mkdir()
    (one.path / "seconds.json").write_text('{"training": 300}')
    assert clock.left([two, other]) == "about 10.0 min left for 2"
    expected = cells._Clock([one, two, other], {"small_cnn": 10.0, "other": 60.0})
    assert expected.left([two, other]) == "about 6.0 min left for 2"
