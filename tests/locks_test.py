import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from ctcov_tf import errors, locks

HOLD = """
import sys, time, pathlib
from ctcov_tf import errors, locks
with locks.try_lock(pathlib.Path(sys.argv[1])) as holder:
    print("held" if holder is None else holder, flush=True)
    time.sleep(float(sys.argv[2]))
"""

SHARE = """
import sys, time, pathlib
from ctcov_tf import errors, locks
folder = pathlib.Path(sys.argv[1])
for number in range(40):
    work = folder / f"cell{number}"
    with locks.try_lock(work) as holder:
        if holder is None and not work.exists():
            time.sleep(0.002)
            with (folder / "done.txt").open("a") as done:
                done.write(f"{number}\\n")
            work.touch()
"""


@pytest.fixture
def start():
    """Starts processes that are gone when the test ends."""
    processes = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_lock_names_its_holder_and_goes_with_the_context(tmp_path):
    work = tmp_path / "cell"
    with locks.try_lock(work) as holder:
        assert holder is None
        content = json.loads(locks.lock_file(work).read_text())
        assert (content["host"], content["pid"]) == (socket.gethostname(), os.getpid())
        with locks.try_lock(work) as second:
            assert str(second) == f"process {os.getpid()} on {socket.gethostname()}"
        assert locks.lock_file(work).is_file()
    assert not locks.lock_file(work).exists()


def test_an_error_inside_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), locks.try_lock(tmp_path / "cell"):
        _ = 1 / 0
    with locks.try_lock(tmp_path / "cell") as holder:
        assert holder is None


def test_a_killed_process_loses_its_lock_and_a_living_one_does_not(tmp_path, start):
    process = start(HOLD, tmp_path / "cell", 60)
    assert process.stdout.readline() == "held\n"
    with locks.try_lock(tmp_path / "cell") as holder:
        assert holder.pid == process.pid
    process.send_signal(signal.SIGKILL)
    process.wait()
    with locks.try_lock(tmp_path / "cell") as holder:
        assert holder is None


def test_a_number_given_to_another_process_is_no_holder(tmp_path):
    path = locks.lock_file(tmp_path / "cell")
    path.parent.mkdir()
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "began": 1}))
    with locks.try_lock(tmp_path / "cell") as holder:
        assert holder is None


def test_a_lock_of_another_host_is_kept(tmp_path):
    path = locks.lock_file(tmp_path / "cell")
    path.parent.mkdir()
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "began": None}))
    with locks.try_lock(tmp_path / "cell") as holder:
        assert str(holder) == "process 1 on elsewhere"
    assert path.is_file()


def test_an_empty_lock_is_kept_while_it_is_new(tmp_path):
    path = locks.lock_file(tmp_path / "cell")
    path.parent.mkdir()
    path.touch()
    with locks.try_lock(tmp_path / "cell") as holder:
        assert holder is not None
    os.utime(path, (time.time() - 60,) * 2)
    with locks.try_lock(tmp_path / "cell") as holder:
        assert holder is None


def test_waiting_ends_when_the_holder_does(tmp_path, start):
    process = start(HOLD, tmp_path / "cell", 0.5)
    assert process.stdout.readline() == "held\n"
    with locks.lock(tmp_path / "cell", poll=0.05):
        assert json.loads(locks.lock_file(tmp_path / "cell").read_text())["pid"] == os.getpid()


def test_processes_that_share_a_folder_do_each_cell_once(tmp_path, start):
    processes = [start(SHARE, tmp_path) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    done = list(map(int, (tmp_path / "done.txt").read_text().split()))
    assert sorted(done) == sorted(set(done))
    assert set(done) == set(range(40))


def test_work_that_another_process_does_is_one_line(tmp_path, start):
    process = start(HOLD, tmp_path / "run", 60)
    assert process.stdout.readline() == "held\n"
    with (
        pytest.raises(errors.CtcovError, match=rf"run: is being trained into by process {process.pid} on .*: wait"),
        locks.held(tmp_path / "run", "trained into"),
    ):
        pass
    process.kill()
    process.wait()
    with locks.held(tmp_path / "run", "trained into"):
        pass


def test_nothing_is_left_beside_the_work(tmp_path):
    with locks.try_lock(tmp_path / "one"), locks.try_lock(tmp_path / "other"):
        pass
    assert not list(tmp_path.iterdir())
    with locks.try_lock(tmp_path / "work" / "x"):
        shutil.rmtree(tmp_path / "work")
    assert not list(tmp_path.iterdir())


def test_the_folder_of_locks_may_go_while_others_wait_for_it(tmp_path, start):
    """Each process takes and gives back the same lock many times: two are never inside at once."""
    code = """
import pathlib, sys
from ctcov_tf import locks
work = pathlib.Path(sys.argv[1]) / "work"
for _ in range(60):
    with locks.lock(work, poll=0.001):
        (work.parent / "inside").mkdir()
        (work.parent / "inside").rmdir()
print("done")
"""
    processes = [start(code, tmp_path) for _ in range(3)]
    assert [process.communicate(timeout=120)[0] for process in processes] == ["done\n"] * 3
    assert not list(tmp_path.iterdir())
