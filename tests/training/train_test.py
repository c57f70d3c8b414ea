import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from ctcov_tf import errors, run_directory
from ctcov_tf.config import DeepCTNetConfig, SmallCNNConfig
from ctcov_tf.models import backbone_weights
from ctcov_tf.training import callbacks, train


def changed(config, model=None, **settings):
    """The tiny configuration on the smallest network there is: a graph that compiles in a second."""
    return dataclasses.replace(
        config,
        preprocess=dataclasses.replace(config.preprocess, image_size=32),
        model=SmallCNNConfig(channels=(8,), **(model or {})),
        train=dataclasses.replace(config.train, **settings),
    )


def trained(config, path):
    run = train.create_run("deep_ct_net_tiny", config, path)
    assert train.train(run)
    return run


def interrupt_at(monkeypatch, epoch):
    original = callbacks.Validation.on_epoch_end

    def on_epoch_end(self, index, logs=None):
        if index == epoch:
            raise KeyboardInterrupt
        original(self, index, logs)

    monkeypatch.setattr(callbacks.Validation, "on_epoch_end", on_epoch_end)


def test_stages_history_and_best_epoch(tiny_config, tmp_path):
    config = changed(tiny_config, early_stages=((24, 1),), epochs=2, ema_momentum=0.5, optimizer="adamw")
    run = trained(config, tmp_path / "run")
    history = pd.read_csv(run.history_file)
    assert history["epoch"].tolist() == [0, 1, 2]
    assert history["image_size"].tolist() == [24, 32, 32]
    assert {"loss", "val_loss", "val_auc", "learning_rate"} <= set(history.columns)
    assert any(run.logs.rglob("events.*"))
    assert run.load_model().input_shape == (None, 32, 32, 3)
    assert all(variable.dtype == "float32" for variable in run.load_model().weights)


def test_resumed_run_equals_one_that_ran_through(tiny_config, tmp_path, monkeypatch):
    config = changed(tiny_config, epochs=3, early_stages=((24, 1),), ema_momentum=0.5, deterministic=True)
    through = trained(config, tmp_path / "through")

    run = train.create_run("deep_ct_net_tiny", config, tmp_path / "resumed")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        assert not train.train(run)
    assert run.model_file.is_file()
    assert len(pd.read_csv(run.history_file)) == 2
    assert train.train(run)

    pd.testing.assert_frame_equal(pd.read_csv(run.history_file), pd.read_csv(through.history_file), rtol=1e-4)
    for ours, theirs in zip(run.load_model().get_weights(), through.load_model().get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_interrupted_before_anything_was_kept(tiny_config, tmp_path, monkeypatch):
    run = train.create_run("deep_ct_net_tiny", changed(tiny_config, epochs=1), tmp_path / "run")
    interrupt_at(monkeypatch, 0)
    with pytest.raises(errors.CtcovError, match=r"interrupted before the first epoch .* --resume"):
        train.train(run)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ({"head": "three_class"}, {"class_weights": True}),
        ({}, {"class_weights": True, "precision": "mixed_bfloat16", "loss": "focal", "accumulate": 2}),
    ],
)
def test_heads_and_options_train(tiny_config, tmp_path, model, settings):
    run = trained(changed(tiny_config, model, epochs=1, **settings), tmp_path / "run")
    assert run.load_model().output_shape == (None, len(run.labels.outputs))
    assert np.isfinite(pd.read_csv(run.history_file)["loss"]).all()


def test_starts_from_another_run(tiny_config, tmp_path):
    """With a learning rate of zero the weights are still those it started from."""
    first = trained(changed(tiny_config, epochs=1), tmp_path / "first")
    second = trained(
        changed(tiny_config, epochs=1, learning_rate=0.0, seed=1, init_from=str(first.path)), tmp_path / "second"
    )
    weights = [run.load_model().trainable_variables for run in (first, second)]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_starting_weights_are_read_once(tiny_config, tmp_path, monkeypatch):
    """Later stages and a resumed run have weights already: nothing is downloaded for them."""
    read = []
    monkeypatch.setattr(backbone_weights, "_load_imagenet", lambda backbone: read.append(backbone.name))
    model = DeepCTNetConfig(
        blocks=(1, 1, 1), growth_rate=4, stem_channels=8, output_stride=16, attention="none", weights="imagenet"
    )
    config = dataclasses.replace(changed(tiny_config, epochs=1, early_stages=((32, 1),)), model=model)
    trained(config, tmp_path / "run")
    assert read == ["backbone"]


def test_early_stopping(tiny_config, tmp_path):
    run = trained(changed(tiny_config, epochs=4, learning_rate=0.0, patience=1), tmp_path / "run")
    assert len(pd.read_csv(run.history_file)) < 4


def test_class_weights_balance(tiny_run):
    by_class = {"covid19": 10, "other_pneumonia": 20, "normal": 70}
    manifest = json.loads(json.dumps(tiny_run.manifest))
    manifest["splits"]["train"]["by_class"] = by_class
    weights = train._class_weights(dataclasses.replace(tiny_run, manifest=manifest))
    assert weights[1] * 10 == pytest.approx(weights[0] * 90)


def test_a_run_that_lacks_its_threshold_alone_is_not_trained_again(tiny_run, tmp_path, monkeypatch):
    shutil.copytree(tiny_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    run.calibration_file.unlink()
    monkeypatch.setattr(train, "_train_stage", lambda *_: pytest.fail("trained again"))
    before = run.model_file.read_bytes()
    assert train.train(run)
    assert run.model_file.read_bytes() == before
