import pathlib
import subprocess
import sys

PROJECT = pathlib.Path(__file__).parent.parent


def tfds_build(*arguments: object, cwd: pathlib.Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tensorflow_datasets.scripts.cli.main", "build", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_folder_form_builds_and_prints_the_table(tmp_path):
    built = tfds_build(
        "tfds_ctcov19/covid_ct",
        *("--config", "conflicts_dropped", "--data_dir", tmp_path),
        *("--manual_dir", PROJECT / "tfds_ctcov19" / "covid_ct" / "dummy_data"),
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "covid_ct" / "conflicts_dropped" / "1.0.0" / "dataset_info.json").exists()
    assert "images built (and as in the official split)" in built.stdout


def test_a_wrong_folder_ends_with_one_line_and_code_2(tmp_path):
    (tmp_path / "manual").mkdir()
    (tmp_path / "manual" / "notes.txt").touch()
    failed = tfds_build(
        "ctcov19/as_released",
        *("--imports", "tfds_ctcov19", "--data_dir", tmp_path / "data", "--manual_dir", tmp_path / "manual"),
    )
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
    assert "not the layout of the archive: it holds Train/" in failed.stdout + failed.stderr
    assert not list((tmp_path / "data" / "ctcov19").glob("as_released/1.0.0*"))
