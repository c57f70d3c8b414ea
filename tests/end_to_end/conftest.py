"""What the tests of whole commands share."""

from collections.abc import Callable
import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python with a command line in a process of its own; a traceback fails the test."""

    def run(*command: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            [sys.executable, *map(str, command)], cwd=PROJECT, capture_output=True, text=True, timeout=timeout
        )
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer

    return run


@pytest.fixture(scope="session")
def ctcov(run) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of `ctcov`."""

    def ctcov(*command: object) -> subprocess.CompletedProcess[str]:
        return run("-c", "from ctcov_tf.cli import main; main()", *command)

    return ctcov


@pytest.fixture
def ctcov_here(capsys) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of `ctcov` in this process: another that begins with TensorFlow takes 6 s of a processor."""
    from ctcov_tf import cli

    def ctcov_here(*command: object) -> subprocess.CompletedProcess[str]:
        with pytest.raises(SystemExit) as exited:
            cli.main(list(map(str, command)))
        return subprocess.CompletedProcess(command, exited.value.code, *capsys.readouterr())

    return ctcov_here
