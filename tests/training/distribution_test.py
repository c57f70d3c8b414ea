"""Devices and processes that train together end as one device does, and none outlives the other."""

import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from ctcov_tf import errors
from ctcov_tf.config import SmallCNNConfig
from ctcov_tf.training import distribution, train

PROJECT = pathlib.Path(__file__).parents[2]
MULTI = "multi_worker_mirrored"
PATIENCE = 300  # seconds; a busy machine is no failure, processes that wait for each other for ever are one


def tf_config(index, addresses=("localhost:1", "localhost:2"), job="worker"):
    return json.dumps({"cluster": {job: list(addresses)}, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    ("text", "chief"),
    [
        (tf_config(0), True),
        (tf_config(1), False),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}', False),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": "0"}}', True),
    ],
)
def test_the_chief_is_found(monkeypatch, text, chief):
    monkeypatch.setenv("TF_CONFIG", text)
    assert distribution.task(MULTI) == (chief, 2)
    assert distribution.task("mirrored") == (True, 1)


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"cluster": {}, "task": {}}', tf_config(2), tf_config(0, job="ps")]
)
def test_a_missing_or_wrong_tf_config_is_a_clear_error(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(errors.CtcovError, match="TF_CONFIG does not say what this worker is") as caught:
        distribution.strategy(MULTI)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def config(tiny_config):
    """Without dropout, which draws apart on each device, so that only the order of sums differs."""
    return dataclasses.replace(
        tiny_config,
        preprocess=dataclasses.replace(tiny_config.preprocess, image_size=32),
        model=SmallCNNConfig(channels=(8,), dropout=0.0),
        train=dataclasses.replace(
            tiny_config.train,
            early_stages=((24, 1),),
            epochs=5,
            ema_momentum=0.5,
            class_weights=True,
            precision="float32",
            deterministic=True,
        ),
    )


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory):
    run = train.create_run("small_cnn", config, tmp_path_factory.mktemp("alone") / "run")
    assert train.train(run)
    return run


def assert_alike(run, alone):
    ours, expected = (pd.read_csv(one.history_file) for one in (run, alone))
    np.testing.assert_allclose(ours["loss"], expected["loss"], rtol=0.05)
    np.testing.assert_allclose(ours["val_loss"], expected["val_loss"], rtol=0.05)
    np.testing.assert_allclose(ours["val_auc"], expected["val_auc"], atol=0.1)


def start(module, run, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.training.{module}", str(run), *map(str, arguments)],
        cwd=PROJECT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def with_strategy(config, name):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, distribution_strategy=name))


def test_two_devices_of_one_host(config, alone, tmp_path):
    run = train.create_run("small_cnn", with_strategy(config, "mirrored"), tmp_path / "run")
    with start("two_devices", run.path) as process:
        output, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    assert "shared by 2 devices" in output
    assert_alike(run, alone)


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("localhost", 0))
        return [f"localhost:{each.getsockname()[1]}" for each in (one, other)]


def start_workers(run, folder):
    addresses = free_ports()
    return [
        start("worker", run.path, folder / f"worker{index}.npz", TF_CONFIG=tf_config(index, addresses))
        for index in range(2)
    ]


def test_two_workers_of_which_one_is_killed(config, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(0))
    run = train.create_run("small_cnn", with_strategy(config, MULTI), tmp_path / "run")
    first, second = start_workers(run, tmp_path)
    try:
        while not (run.checkpoints / "stage1_epoch3.npz").is_file():
            assert first.poll() is None, first.communicate()
            assert second.poll() is None, second.communicate()
            time.sleep(0.02)
        second.send_signal(signal.SIGKILL)
        _, error = first.communicate(timeout=PATIENCE)
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert first.returncode == errors.EXIT_USER_ERROR, error
    (line,) = [line for line in error.splitlines() if line.startswith("error: ")]
    assert "another worker has stopped" in line
    assert f"--resume {run.path}" in line
    assert not (run.path / "model.keras").exists()

    workers = start_workers(run, tmp_path)
    for process in workers:
        _, error = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, error
    ours, theirs = (np.load(tmp_path / f"worker{index}.npz", allow_pickle=False) for index in range(2))
    assert ours.files == theirs.files
    for name in ours.files:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert_alike(run, alone)
    assert pd.read_csv(run.history_file)["epoch"].tolist() == list(range(6))
    assert not [path for path in run.path.rglob(".*")]
