"""The commands where no model is named, with models that ship as a wheel has them: TFLite files alone."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import httpx
import numpy as np
import pytest

from ctcov_tf import RESEARCH_USE, cli, shipped
from ctcov_tf.images import encode
from tests import shipped_folder
from tests.cli_test import imported


@pytest.fixture
def weights(tmp_path, monkeypatch, mean_grey_file):
    for name, modality in ("slim-20260101", "CT"), ("films-20260103", "CXR"):
        shipped_folder.write(tmp_path / "weights", name, mean_grey_file, modality=modality)
    monkeypatch.setenv(shipped.VARIABLE, str(tmp_path / "weights"))
    return tmp_path / "weights"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exited:
        cli.main(list(map(str, arguments)))
    return exited.value.code, capsys.readouterr()


def test_an_image_is_answered_and_the_model_named(weights, image_files, capsys):
    code, printed = run(capsys, "predict", image_files[0])
    assert code == 0, printed.err
    _, answer, *foot = printed.out.splitlines()
    assert answer.startswith(str(image_files[0]))
    assert foot[0] == shipped.best().sentence()
    assert RESEARCH_USE in foot[1]


def test_json_says_the_same(weights, image_files, capsys):
    code, printed = run(capsys, "predict", *image_files, "--model", "films", "--json")
    assert code == 0, printed.err
    for line in printed.out.splitlines():
        said = json.loads(line)["shipped"]
        assert (said["name"], said["trained_on"]) == ("films-20260103", "covid_ct:1.0.0")
        assert said["auc"]["value"] == 0.8712


def test_tensorflow_is_not_needed(weights, run_command, image_files):
    names = imported(run_command, "predict", *image_files)
    assert names - sys.stdlib_module_names == {"ctcov_tf", "numpy", "PIL", "ai_edge_litert"}


def test_nor_to_explain(small_model, run_command, tmp_path):
    phantom = small_model.path / "phantom0.png"
    names = imported(run_command, "predict", phantom, "--model", small_model.path, "--heatmap", tmp_path)
    assert "ai_edge_litert" in names
    assert not names & {"tensorflow", "keras"}


def test_a_changed_file_is_not_run(weights, image_files, capsys):
    with shipped.best().answering_file.open("ab") as file:
        file.write(b"\0")
    code, printed = run(capsys, "predict", image_files[0])
    assert code == 2
    assert "not the file that was shipped" in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_refused_image_is_sent_to_the_other_modality(weights, small_model, tmp_path, capsys, flags):
    shutil.copytree(small_model.path, weights / "small-20260201")
    stripes = tmp_path / "stripes.png"
    stripes.write_bytes(encode.png(np.tile(np.repeat([0, 255], 12).astype(np.uint8), (90, 5))))
    code, printed = run(capsys, "predict", stripes, "--model", "small", *flags)
    assert code == 0, printed.err
    remedy = "for chest radiographs: --model films-20260103"
    if flags:
        answer = json.loads(printed.out)
        assert (answer["probability"], answer["remedy"]) == (None, remedy)
    else:
        assert remedy in printed.out.splitlines()


def test_models_are_listed(weights, capsys):
    code, printed = run(capsys, "models")
    assert code == 0
    heading, slim, films, *_ = printed.out.splitlines()
    assert "file facts alone" in heading
    assert re.search(r"slim-20260101 +CT +slim +covid_ct:1.0.0 +0.871 \[0.821, 0.921\] +0.654 .* yes$", slim)
    assert films.endswith("yes")
    assert RESEARCH_USE in printed.out
    code, printed = run(capsys, "models", "--json")
    assert [one["name"] for one in json.loads(printed.out)] == ["slim-20260101", "films-20260103"]


def test_nothing_to_answer_with_is_one_line(tmp_path, monkeypatch, image_files, capsys):
    monkeypatch.setenv(shipped.VARIABLE, str(tmp_path))
    for command in ("predict", image_files[0]), ("serve",):
        code, printed = run(capsys, *command)
        assert code == 2
        assert printed.err.startswith("error: this installation carries no model: name one")
        assert printed.err.count("\n") == 1
    code, printed = run(capsys, "models")
    assert code == 0
    assert "carries no model" in printed.out


def test_the_server_serves_them_all_by_name(weights, image_files, rows):
    code = "from ctcov_tf.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            first, second = (process.stdout.readline() for _ in range(2))
            address = re.search(r"serving slim, version 20260101, at (http://[\d.:]+)/v1/models/slim:predict", first)[1]
            assert "serving films, version 20260103" in second
            for name in "slim", "films":
                request = rows(pathlib.Path(image_files[0]).read_bytes())
                answer = httpx.post(f"{address}/v1/models/{name}:predict", json=request, timeout=120)
                assert answer.status_code == 200, answer.text
                status = httpx.get(f"{address}/v1/models/{name}/metadata", timeout=120).json()
                assert status["model_spec"]["name"] == name
            assert httpx.get(f"{address}/v1/models/other", timeout=120).status_code == 404
        finally:
            process.kill()
