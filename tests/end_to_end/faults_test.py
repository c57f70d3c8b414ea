"""What a full disk leaves behind: one line, exit code 2, and nothing half-written."""

import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
FULL_AT_KILOBYTES = 40  # no file may grow above this: writing fails as on a full disk, for this process alone


def run_on_a_full_disk(*command):
    return subprocess.run(
        ["bash", "-c", f'ulimit -f {FULL_AT_KILOBYTES}; exec "$@"', "bash", sys.executable, *map(str, command)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def assert_one_line(answer):
    assert answer.returncode == 2, answer.stderr
    (line,) = [line for line in answer.stderr.splitlines() if line.strip()]
    assert line.startswith("error: ")


def leftovers(folder):
    """Temporary files of writes that were not finished."""
    return [path for path in folder.rglob(".*") if path.name != ".gitignore"]


def test_training(phantom_data_dir, tmp_path):
    answer = run_on_a_full_disk(
        "train.py",
        "small_cnn",
        *("--dataset", "phantom/tiny", "--data-dir", phantom_data_dir, "--image-size", "32", "--channels", "16", "16"),
        *("--epochs", "1", "--run-dir", tmp_path / "run"),
    )
    assert_one_line(answer)
    assert not (tmp_path / "run" / "model.keras").exists()
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("form", ["saved_model", "float32"])
def test_export(form, tiny_run, tmp_path):
    answer = run_on_a_full_disk("export.py", tiny_run.path, "--out", tmp_path / "exports", "--forms", form)
    assert_one_line(answer)
    assert not [path for path in (tmp_path / "exports").rglob("*") if path.is_file()]
    assert not leftovers(tmp_path)
