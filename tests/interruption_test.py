import os
import signal
import subprocess
import sys
import threading

import pytest

from ctcov_tf import interruption
from ctcov_tf.progress import Bar

BEFORE = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers_are_put_back():
    before = [signal.getsignal(number) for number in BEFORE]
    yield
    assert [signal.getsignal(number) for number in BEFORE] == before
    assert not interruption.received()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_taken_at_once(number, code):
    with interruption.handled():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert interruption.received()
        assert interruption.exit_code() == code
    assert interruption.exit_code() == 130


@pytest.mark.parametrize("number", BEFORE)
def test_between_steps_it_waits_for_the_next(number, capfd):
    done = []

    def work():
        with interruption.between_steps():
            for step in interruption.steps(range(5)):
                if step == 2:
                    signal.raise_signal(number)
                done.append(step)

    with interruption.handled(), pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1, 2]
    assert "once more, and it ends at once" in capfd.readouterr().err


def test_after_the_last_step_it_is_taken_at_the_end():
    done = []

    def work():
        with interruption.between_steps():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    with interruption.handled(), pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


def test_another_error_stays_one():
    def work():
        with interruption.between_steps():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with interruption.handled(), pytest.raises(ZeroDivisionError):
        work()


class Dying:
    """Gets a signal inside its destructor, where Python would drop the exception."""

    def __del__(self):
        self.help()

    def help(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("loop", [interruption.steps, Bar])
def test_a_signal_inside_a_destructor_is_not_lost(loop):
    done = []

    def work():
        for step in loop(range(5)):
            if step == 2:
                Dying()
            done.append(step)

    with interruption.handled(), pytest.raises(KeyboardInterrupt):
        work()
    assert done == [0, 1, 2]


def test_a_bar_looks_for_a_signal_as_it_counts():
    with interruption.handled(), Bar(total=3) as bar:
        bar.update()
        Dying()
        with pytest.raises(KeyboardInterrupt):
            bar.update()


def test_a_thread_is_left_alone():
    found = []
    with interruption.handled():
        Dying()

        def work():
            with interruption.handled():
                found.extend(interruption.steps(range(3)))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [0, 1, 2]


def test_within_another_context_nothing_changes():
    with interruption.handled():
        with interruption.handled():
            Dying()
        assert interruption.received()


def test_an_ignored_signal_stays_ignored():
    """As SIGINT in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.handled():
            signal.raise_signal(signal.SIGINT)
            assert not interruption.received()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", BEFORE)
def test_a_second_signal_ends_at_once(number):
    program = (
        "import signal, sys\n"
        "from ctcov_tf import errors, interruption\n"
        "def main():\n"
        "    with interruption.between_steps():\n"
        "        while True:\n"
        f"            signal.raise_signal({int(number)})\n"
        "errors.exit_cleanly(main)()\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
    assert answer.returncode == -number
    assert "Traceback" not in answer.stderr


def test_a_command_ends_with_the_code_of_the_signal():
    program = (
        "import signal\n"
        "from ctcov_tf import errors\n"
        "errors.exit_cleanly(lambda: signal.raise_signal(signal.SIGTERM))()\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (143, "interrupted\n")
