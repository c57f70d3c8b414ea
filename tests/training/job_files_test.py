"""The job files in docs/cluster name this worker and all others in TF_CONFIG; no scheduler is run."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from ctcov_tf.training import command, distribution

CLUSTER = pathlib.Path(__file__).parents[2] / "docs" / "cluster"
SLURM = {"SLURM_PROCID": "1", "HOSTS": "a b", "PORT": "12345"}
KUBERNETES = {"JOB_COMPLETION_INDEX": "1"}


def shell_lines(name):
    text = (CLUSTER / name).read_text()
    return "\n".join(line.strip() for line in text.splitlines() if re.match(r"\s*(workers=|export TF_CONFIG)", line))


@pytest.mark.parametrize(
    ("name", "environment", "first"),
    [
        ("train.slurm", SLURM, "a:12345"),
        ("train.yaml", KUBERNETES, "ctcov-train-0.ctcov-train:12345"),
    ],
)
def test_tf_config_is_right(monkeypatch, name, environment, first):
    script = shell_lines(name) + '\nprintf %s "$TF_CONFIG"'
    answer = subprocess.run(
        ["bash", "-c", script], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout)["cluster"]["worker"][0] == first
    monkeypatch.setenv("TF_CONFIG", answer.stdout)
    assert distribution.task("multi_worker_mirrored") == (False, 2)


@pytest.mark.parametrize("name", ["train.slurm", "train.yaml"])
def test_the_command_parses(name):
    text = (CLUSTER / name).read_text()
    flags = re.search(r"train\.py \S+ (--data-dir.*?multi_worker_mirrored)", text, re.DOTALL).group(1)
    config, _ = command.parse("deep_ct_net", flags.replace("\\\n", " ").split())
    assert config.train.distribution_strategy == "multi_worker_mirrored"
