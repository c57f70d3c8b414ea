import dataclasses
import json
import shutil
import signal

import numpy as np
import pandas as pd
import pytest

from ctcov_tf import errors, files, run_directory
from ctcov_tf.config import DeepCTNetConfig, DeepCTNetEdgeConfig, DenseNetClassifierConfig, SmallCNNConfig
from ctcov_tf.models import backbone_weights, registry
from ctcov_tf.training import callbacks, import_command, stage, train
from tests.models import torch_samples


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_python_would_drop_ends_training_after_the_epoch_that_was_whole(
    tiny_config, tmp_path, monkeypatch, number
):
    """TensorFlow's functions have destructors, in which an exception of a signal handler is dropped."""

    class Dying:
        def __del__(self):
            signal.raise_signal(number)

    validate = callbacks.Validation.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        validate(self, epoch, logs)
        if epoch == 1:
            Dying()

    monkeypatch.setattr(callbacks.Validation, "on_epoch_end", on_epoch_end)
    run = train.create_run("deep_ct_net_tiny", changed(tiny_config, epochs=4), tmp_path / "run")
    before = signal.getsignal(number)
    assert not train.train(run)
    assert signal.getsignal(number) is before
    assert len(pd.read_csv(run.history_file)) == 2
    assert run.model_file.is_file()


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


def test_says_what_it_started_from(tiny_config, tiny_run, tmp_path):
    config = dataclasses.replace(
        tiny_config,
        data=dataclasses.replace(tiny_config.data, task="rotation", positive="upright"),
        model=dataclasses.replace(tiny_config.model, head="four_class"),
        train=dataclasses.replace(tiny_config.train, init_from=str(tiny_run.path)),
    )
    run = run_directory.load(train.create_run("pretrain_ct_rotation", config, tmp_path / "run").path)
    assert run.started_from == {
        "run": str(tiny_run.path),
        "preset": "deep_ct_net_tiny",
        "trained_on": "phantom/tiny:1.0.0",
        "sha256": files.sha256(tiny_run.model_file),
    }
    assert run_directory.load(tiny_run.path).started_from is None


def backbone_of(run, source):
    """Differences between a run's backbone and another model's, where they are not none."""
    theirs = {variable.path: variable.numpy() for variable in source.trainable_variables}
    ours = {variable.path: variable.numpy() for variable in run.load_model().trainable_variables}
    names = [name for name in theirs if name.startswith(("conv", "stem", "block", "pool", "bn"))]
    assert len(names) > 10
    return {name for name in names if not np.array_equal(ours[name], theirs[name])}


def frozen(config, model, init_from):
    """Trains an epoch with a learning rate of zero."""
    settings = {"epochs": 1, "learning_rate": 0.0, "init_from": str(init_from)}
    return dataclasses.replace(changed(config, **settings), model=model)


def test_starts_from_an_import_of_torchxrayvision(tiny_config, tmp_path):
    file = torch_samples.write_state_dict(tmp_path / "chex.pt", torch_samples.dense_net_arrays())
    imported = import_command.import_weights(file, tmp_path / "imported", ("edema",), "edema")
    assert isinstance(imported.config.model, DenseNetClassifierConfig)
    model = DeepCTNetConfig(
        blocks=torch_samples.BLOCKS,
        growth_rate=torch_samples.GROWTH_RATE,
        stem_channels=torch_samples.STEM_CHANNELS,
        attention="slim",
        attention_levels=2,
    )
    run = trained(frozen(tiny_config, model, imported.path), tmp_path / "run")
    assert backbone_of(run, imported.load_model()) == set()
    assert run.started_from["trained_on"] == "TorchXRayVision/chex.pt"


@pytest.mark.parametrize("name", ["file.keras", "file.weights.h5"])
def test_starts_from_a_file_of_a_backbone(tiny_config, tmp_path, name):
    model = DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention="none", dense_units=4)
    source = registry.build(model, 64, 1)
    source.save(tmp_path / name) if name.endswith(".keras") else source.save_weights(tmp_path / name)
    run = trained(frozen(tiny_config, model, tmp_path / name), tmp_path / "run")
    assert backbone_of(run, source) == set()
    assert (run.config.model.weights, run.config.train.init_from) == (str(tmp_path / name), None)


def test_a_run_of_another_network_is_refused(tiny_config, tiny_run, tmp_path):
    faults = {
        "layer stem_conv is missing there or of another shape .deep_ct_net_tiny has another network": SmallCNNConfig(),
        "layer conv2_block1_1_conv is missing there": dataclasses.replace(tiny_config.model, growth_rate=4),
        "layer conv2_block3_0_bn is missing there": dataclasses.replace(tiny_config.model, blocks=(3, 2, 2, 2)),
    }
    for fault, model in faults.items():
        with pytest.raises(errors.CtcovError, match=f"--init-from .*: {fault}.*: start from a run with this backbone"):
            train.create_run("other", frozen(tiny_config, model, tiny_run.path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_for_a_network_without_a_backbone_are_refused(tiny_config, tmp_path):
    with pytest.raises(
        errors.CtcovError, match=r"--init-from imagenet: this model has no backbone to fill: name a run"
    ):
        train.create_run("small_cnn", changed(tiny_config, init_from="imagenet"), tmp_path / "run")
    with pytest.raises(errors.CtcovError, match=r"nowhere: no such run directory"):
        train.create_run("small_cnn", changed(tiny_config, init_from="nowhere"), tmp_path / "run")


def test_pretraining_by_rotation(tiny_config, tmp_path):
    config = changed(tiny_config, {"head": "four_class"}, epochs=1)
    config = dataclasses.replace(
        config, data=dataclasses.replace(config.data, task="rotation", positive="upright", fold="1/3")
    )
    run = trained(config, tmp_path / "run")
    assert run.load_model().output_shape == (None, 4)
    assert run.labels.outputs == ("upright", "turned_90", "turned_180", "turned_270")
    flipped = dataclasses.replace(config, augment=dataclasses.replace(config.augment, flip=True))
    with pytest.raises(errors.CtcovError, match="--flip: a mirrored quarter turn"):
        train.create_run("pretrain", flipped, tmp_path / "flipped")


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
    weights = stage.class_weights(dataclasses.replace(tiny_run, manifest=manifest))
    assert weights[1] * 10 == pytest.approx(weights[0] * 90)


def test_a_run_that_lacks_its_threshold_alone_is_not_trained_again(tiny_run, tmp_path, monkeypatch):
    shutil.copytree(tiny_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    run.calibration_file.unlink()
    monkeypatch.setattr(stage, "train", lambda *_: pytest.fail("trained again"))
    before = run.model_file.read_bytes()
    assert train.train(run)
    assert run.model_file.read_bytes() == before
