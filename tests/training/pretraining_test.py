"""Pre-training without labels, as an ordinary run."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest

from ctcov_tf import cli, errors, predictor, run_directory
from ctcov_tf.config import AugmentConfig, BaselineConfig, DeepCTNetConfig, SimSiamConfig
from ctcov_tf.training import callbacks, checks, command, stage, train

BACKBONE = {"blocks": (1, 1, 1, 1), "growth_rate": 4, "stem_channels": 8}
EPOCHS = 36


@pytest.fixture(scope="module")
def config(tiny_config):
    """Two datasets, three steps an epoch."""
    return dataclasses.replace(
        tiny_config,
        data=dataclasses.replace(tiny_config.data, also=("phantom/cxr_tiny",)),
        preprocess=dataclasses.replace(tiny_config.preprocess, image_size=32),
        augment=AugmentConfig(flip=True, crop=0.2, contrast=0.4, brightness=0.4),
        model=SimSiamConfig(projection=(32, 32), prediction_units=8, **BACKBONE),
        train=dataclasses.replace(
            tiny_config.train, epochs=EPOCHS, batch_size=40, learning_rate=1e-2, precision="float32"
        ),
    )


def changed(config, **settings):
    return dataclasses.replace(config, train=dataclasses.replace(config.train, **settings))


def trained(config, path):
    run = train.create_run("pretrain_simsiam", config, path)
    assert train.train(run)
    return run


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return trained(config, tmp_path_factory.mktemp("runs") / "simsiam")


def test_a_run_like_any_other(run):
    history = pd.read_csv(run.history_file)
    assert history["epoch"].tolist() == list(range(EPOCHS))
    assert {"loss", "val_auc", "embedding_deviation", "learning_rate", "image_size"} <= set(history.columns)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] - 0.1
    again = run_directory.load_any(run.path)
    assert again.finished
    assert again.config == run.config
    assert [one["name"] for one in again.manifests] == ["phantom/tiny:1.0.0", "phantom/cxr_tiny:1.0.0"]
    assert [one["splits"]["train"]["images"] for one in again.manifests] == [60, 60]
    assert again.load_model().output_shape == (None, 32)
    assert stage.Stage(run, 0, 32, 0, EPOCHS).steps == 3


def test_it_does_not_collapse_but_would_without_the_stop_of_gradients(run, config, tmp_path, monkeypatch, capsys):
    assert pd.read_csv(run.history_file)["embedding_deviation"].min() > 0.8
    monkeypatch.setattr(keras.ops, "stop_gradient", lambda variable: variable)
    epochs = 2 * EPOCHS  # after EPOCHS the deviation is between 0.1 and 0.3 as rounding falls, after twice as many 0.05
    collapsed = pd.read_csv(trained(changed(config, epochs=epochs), tmp_path / "run").history_file)
    assert collapsed["embedding_deviation"].iloc[-1] < 0.2
    assert collapsed["loss"].iloc[-1] < -0.95
    assert f"epoch {epochs}: all images have nearly the same embedding" in capsys.readouterr().out


def test_the_classifier_starts_from_it(run, config, tmp_path):
    model = DeepCTNetConfig(attention="none", dense_units=4, **BACKBONE)
    settings = {"epochs": 1, "batch_size": 12, "learning_rate": 0.0, "init_from": str(run.path)}
    started = trained(dataclasses.replace(changed(config, **settings), model=model, data=alone(config)), tmp_path / "a")
    assert started.started_from["trained_on"] == "phantom/tiny:1.0.0, phantom/cxr_tiny:1.0.0"
    assert started.started_from["preset"] == "pretrain_simsiam"
    theirs = {variable.path: variable.numpy() for variable in run.load_model().trainable_variables}
    ours = {variable.path: variable.numpy() for variable in started.load_model().trainable_variables}
    shared = [path for path in theirs if path.startswith(("conv", "pool", "bn"))]
    assert len(shared) > 20
    for path in shared:
        np.testing.assert_array_equal(ours[path], theirs[path], err_msg=path)


def test_it_goes_on_from_another(run, config, tmp_path):
    again = trained(changed(config, epochs=1, learning_rate=0.0, seed=1, init_from=str(run.path)), tmp_path / "run")
    weights = [one.load_model().trainable_variables for one in (run, again)]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_a_killed_one_goes_on_bit_for_bit(config, tmp_path, monkeypatch):
    config = changed(config, epochs=3, deterministic=True, ema_momentum=0.5, first_layer_rate=0.5)
    through = trained(config, tmp_path / "through")
    killed = train.create_run("pretrain_simsiam", config, tmp_path / "killed")

    class Killed(BaseException):
        pass

    def dies(self, epoch, logs=None):
        if epoch == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.EpochSeeds, "on_epoch_begin", dies)
        with pytest.raises(Killed):
            train.train(killed)
    assert not killed.finished
    assert train.train(killed)
    assert killed.history_file.read_bytes() == through.history_file.read_bytes()
    for ours, theirs in zip(killed.load_model().weights, through.load_model().weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_what_asks_for_an_answer_is_refused(run, tmp_path, capsys):
    refusal = f"{run.path}: is a pre-training, which answers nothing: start a run from it with --init-from {run.path}"
    for ask in (run_directory.load, predictor.load):
        with pytest.raises(errors.CtcovError) as found:
            ask(run.path)
        assert str(found.value) == refusal
    for arguments in (["evaluate"], ["calibrate"], ["card"], ["explain", "image.png", "--out", str(tmp_path)]):
        with pytest.raises(SystemExit) as exit_info:
            cli.main([arguments[0], str(run.path), *arguments[1:]])
        assert exit_info.value.code == errors.EXIT_USER_ERROR
        assert capsys.readouterr().err == f"error: {refusal}\n"
    with pytest.raises(SystemExit):
        command.main(["--resume", str(run.path)])
    assert f"{run.path}: is finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"class_weights": True}, "--class-weights: this pre-training learns without labels: leave it out"),
        ({"label_smoothing": 0.1}, "--label-smoothing: this pre-training learns"),
        ({"loss": "focal"}, "--loss: this pre-training learns"),
        ({"teachers": ("runs/a",)}, "--teachers: this pre-training learns"),
        ({"distribution_strategy": "mirrored"}, "--distribution-strategy: this pre-training runs on one device only"),
    ],
)
def test_settings_without_meaning_are_refused(config, settings, fault):
    with pytest.raises(errors.CtcovError, match=fault):
        checks.check(changed(config, **settings))


def test_datasets_are_named_once_and_for_pretraining_alone(config):
    twice = dataclasses.replace(config, data=dataclasses.replace(config.data, also=("phantom/tiny",)))
    with pytest.raises(errors.CtcovError, match="--also phantom/tiny: names a dataset twice"):
        checks.check(twice)
    with pytest.raises(errors.CtcovError, match="--also: classes of several datasets do not go together"):
        checks.check(dataclasses.replace(config, model=DeepCTNetConfig()))


def test_levels_of_bags_are_left_as_they_are(config):
    model = BaselineConfig(method="covnet", slices=2)
    with pytest.raises(errors.CtcovError, match="--contrast, --brightness: change single images only"):
        checks.check(dataclasses.replace(config, model=model, data=alone(config)))


def test_images_that_judge_a_run_must_not_have_been_learnt_from(run, config, tmp_path):
    data = dataclasses.replace(alone(config), fold="1/3")
    other = dataclasses.replace(
        changed(config, init_from=str(run.path)), model=DeepCTNetConfig(attention="none", **BACKBONE), data=data
    )
    with pytest.raises(errors.CtcovError, match=r"has learnt from image .*, which is in the validation part here"):
        train.create_run("deep_ct_net", other, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def alone(config):
    return dataclasses.replace(config.data, also=())
