import errno
import os
import subprocess
import sys

import pytest

from ctcov_tf import errors


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (errors.CtcovError("a.png: empty: replace it"), 2, "error: a.png: empty: replace it\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            2,
            "error: No space left on device: runs/x; free some space or choose another folder\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "error: Permission denied: runs; check its"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_faults_become_one_line_and_an_exit_code(raised, code, line, capsys):
    @errors.exit_cleanly
    def main():
        raise raised

    with pytest.raises(SystemExit) as exit_info:
        main()
    assert exit_info.value.code == code
    printed = capsys.readouterr().err
    assert printed.startswith(line)
    assert printed.count("\n") == 1


@pytest.mark.parametrize("returned", [None, 0, 1])
def test_exit_code_is_what_main_returns(returned):
    with pytest.raises(SystemExit) as exit_info:
        errors.exit_cleanly(lambda: returned)()
    assert exit_info.value.code == (returned or 0)


PRINT = "from ctcov_tf import errors; errors.exit_cleanly(lambda: print('an answer'))()"
HELP = "from ctcov_tf import cli; cli.main(['reproduce', '--help'])"


@pytest.mark.parametrize(("command", "unbuffered"), [(PRINT, ""), (PRINT, "1"), (HELP, "")])
def test_a_closed_pipe_ends_the_command_quietly(command, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        answer = subprocess.run(
            [sys.executable, "-c", command],
            stdout=closed,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert answer.stderr == b""
    assert answer.returncode == 141


def test_a_bug_is_not_hidden():
    @errors.exit_cleanly
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_a_module_that_is_not_there_is_named_with_its_remedy():
    errors.need("json", "get it")
    with pytest.raises(errors.CtcovError, match=r"^no_such_module: not installed, get it$"):
        errors.need("no_such_module", "get it")


@pytest.mark.parametrize("name", ["a\nerror: b", "a\x1b[2Jb", "a\rb", "a\x00b", "a\u202eb", os.fsdecode(b"a\xffb")])
def test_a_name_cannot_steer_the_terminal_or_begin_a_line(name):
    message = str(errors.CtcovError(f"{name}: damaged: fetch it again"))
    assert message.isprintable()
    message.encode("utf-8")
    assert message.startswith("a\\")
    assert message.endswith("b: damaged: fetch it again")


def test_what_the_terminal_cannot_show_is_an_escape():
    code = "from ctcov_tf import errors; errors.exit_cleanly(lambda: print('caf\\u00e9 \\u6d77'))()"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stdout) == (0, b"caf\\xe9 \\u6d77\n")
