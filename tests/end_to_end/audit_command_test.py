"""`ctcov audit` as a user runs it: its exit code says what was found."""

import json

from ctcov_tf import RESEARCH_USE
from tests.audit import samples


def test_the_exit_code_tells_findings_from_faults_of_the_user(ctcov, ctcov_here, tmp_path):
    clean, marked = samples.folder(tmp_path / "clean"), samples.folder(tmp_path / "marked", change=samples.mark)
    answer = ctcov("audit", clean)
    assert answer.returncode == 0, answer.stdout
    assert "Nothing alarming" in answer.stdout
    answer = ctcov_here("audit", marked, "--out", tmp_path / "out")
    assert answer.returncode == 1, answer.stdout
    assert "FINDING: From the border" in answer.stdout
    assert RESEARCH_USE in answer.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"audit.json", "audit.html"}
    answer = ctcov_here("audit", tmp_path / "nowhere")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1


def test_json_on_stdout_is_nothing_but_the_record(ctcov, phantom_data_dir):
    answer = ctcov("audit", "phantom/tiny", "--data-dir", phantom_data_dir, "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["verdict"]["findings"] == []
