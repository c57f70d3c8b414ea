"""A training that is killed at any moment, and resumed, ends as one that ran through: bit for bit."""

import dataclasses
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ctcov_tf import files
from ctcov_tf.config import SmallCNNConfig
from ctcov_tf.training import callbacks, train

PROJECT = pathlib.Path(__file__).parents[2]
MOMENTS = 20
PRESET = "small_cnn"


class Killed(BaseException):
    """Nothing of the process runs after it."""


class Killer:
    """Kills training at a moment: before or after a file is put in its place, or behind a batch."""

    def __init__(self, monkeypatch):
        self.patch, self.moments_left, self.killed = monkeypatch, -1, False
        replace, rmtree = os.replace, shutil.rmtree

        def killed_replace(*paths):
            self._moment()
            replace(*paths)
            self._moment()

        monkeypatch.setattr(files.os, "replace", killed_replace)
        monkeypatch.setattr(
            files.shutil, "rmtree", lambda *given, **settings: None if self.killed else rmtree(*given, **settings)
        )
        monkeypatch.setattr(callbacks.EpochSeeds, "on_train_batch_end", lambda *_, **__: self._moment())

    def _moment(self):
        self.moments_left -= 1
        if self.moments_left == 0:
            self.killed = True
            raise Killed

    def train(self, run, moment):
        """Whether the run was trained to its end; else it was killed at `moment`, counted from 1."""
        self.moments_left, self.killed = moment, False
        try:
            return train.train(run)
        except Killed:
            return False
        finally:
            self.moments_left, self.killed = -1, False


@pytest.fixture(scope="module")
def config(tiny_config):
    """All that a training has to remember: stages, dropout, schedule, moving average, gathered gradients, patience."""
    return dataclasses.replace(
        tiny_config,
        preprocess=dataclasses.replace(tiny_config.preprocess, image_size=32),
        model=SmallCNNConfig(channels=(8,), dropout=0.3),
        train=dataclasses.replace(
            tiny_config.train,
            early_stages=((24, 2),),
            epochs=6,
            optimizer="adamw",
            learning_rate=3e-2,
            schedule="cosine",
            warmup=0.1,
            ema_momentum=0.5,
            accumulate=2,
            patience=3,
            precision="float32",
            deterministic=True,
        ),
    )


@pytest.fixture(scope="module")
def through(config, tmp_path_factory):
    run = train.create_run(PRESET, config, tmp_path_factory.mktemp("through") / "run")
    assert train.train(run)
    return run


def assert_equal(run, through):
    assert run.history_file.read_bytes() == through.history_file.read_bytes()
    for ours, expected in zip(run.load_model().weights, through.load_model().weights, strict=True):
        np.testing.assert_array_equal(ours, expected, err_msg=ours.path)
    assert not [path for path in run.path.rglob(".*")], "half-written files stay"


def test_killed_at_twenty_moments(config, through, tmp_path, monkeypatch):
    rng, killer, kills, runs = random.Random(0), Killer(monkeypatch), 0, 0
    while kills < MOMENTS:
        run = train.create_run(PRESET, config, tmp_path / f"run{runs}")
        while not killer.train(run, rng.randint(1, 40) if kills < MOMENTS else -1):
            kills += 1
        assert_equal(run, through)
        runs += 1
    assert runs > 1


def test_killed_after_the_epoch_that_stops_early(config, tmp_path, monkeypatch):
    config = dataclasses.replace(
        config, train=dataclasses.replace(config.train, early_stages=(), learning_rate=0.0, epochs=4, patience=1)
    )
    through, run = (train.create_run(PRESET, config, tmp_path / name) for name in ("through", "killed"))
    assert train.train(through)
    with monkeypatch.context() as patch:
        patch.setattr(train, "_save_best", lambda run: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            train.train(run)
    assert train.train(run)
    assert_equal(run, through)


@pytest.mark.parametrize("damaged", ["stage1_epoch5.npz", "best.npz"])
def test_a_damaged_file_costs_epochs_and_nothing_else(config, through, tmp_path, monkeypatch, capsys, damaged):
    run = train.create_run(PRESET, config, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.EpochSeeds, "on_epoch_begin", stops_at(5, callbacks.EpochSeeds.on_epoch_begin))
        with pytest.raises(Killed):
            train.train(run)
    path = run.checkpoints / damaged
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    path.write_bytes(content)
    assert train.train(run)
    assert f"{path}: damaged" in capsys.readouterr().err
    assert_equal(run, through)


def stops_at(last, original):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == last:
            raise Killed
        original(self, epoch, logs)

    return on_epoch_begin


def test_sigkill(config, through, tmp_path):
    """Two processes, killed at random moments after an epoch of their training; this one goes on where they ended."""
    run, rng = train.create_run(PRESET, config, tmp_path / "run"), random.Random(0)
    for epochs in (1, 3):
        with subprocess.Popen(
            [sys.executable, "train.py", "--resume", str(run.path)],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while not run.history_file.is_file() or len(run.history_file.read_text().splitlines()) <= epochs:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
    assert train.train(run)
    assert_equal(run, through)
