"""Compared methods from their configuration to an evaluated run, on the small phantoms."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from ctcov_tf import errors, predictor, run_directory
from ctcov_tf.config import BaselineConfig
from ctcov_tf.evaluation import calibrate
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.training import train


def changed(config, method, **settings):
    return dataclasses.replace(
        config,
        preprocess=dataclasses.replace(config.preprocess, image_size=32),
        model=BaselineConfig(method=method),
        train=dataclasses.replace(config.train, epochs=1, precision="float32", **settings),
    )


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("dl_system", {"early_stages": ((48, 1),), "first_layer_rate": 0.1}),
        ("light_cnn", {"class_weights": True, "accumulate": 2}),
        ("caad", {"loss": "focal", "class_weights": True}),
    ],
)
def test_trains_calibrates_and_predicts(tiny_config, tmp_path, method, settings):
    run = train.create_run(method, changed(tiny_config, method, **settings), tmp_path / method)
    assert train.train(run)
    assert not run.checkpoints.exists()
    history = pd.read_csv(run.history_file)
    assert len(history) == 1 + len(settings.get("early_stages", ()))
    assert np.isfinite(history[["loss", "val_loss"]]).all(axis=None)
    model = run.load_model()
    assert model.output_shape == (None, 1)
    assert model.layers[-1].name == "logits"
    calibration = calibrate.calibrate(run)
    assert 0 <= calibration["threshold"] <= 1
    predictions = predict_split(run, "validation")
    assert predictions["probability"].between(0, 1).all()
    auc = metrics.roc_auc_score(predictions["target"], predictions["probability"])
    assert auc == pytest.approx(history["val_auc"].iloc[-1], abs=0.02)  # what is saved answers as what was trained


def test_prototypes_need_no_case_of_their_own(xdnn_run, image_files, tmp_path):
    shutil.copytree(xdnn_run.path, tmp_path / "run")
    run = run_directory.load(tmp_path / "run")
    calibration = calibrate.calibrate(run)
    assert 0 <= calibration["threshold"] <= 1
    assert predict_split(run, "validation")["probability"].between(0, 1).all()
    answering = predictor.load(run.path)
    explained = answering.explain(image_files[0].read_bytes(), "a.png")
    assert explained.prediction.label


def test_a_finished_xdnn_is_not_trained_again(xdnn_run):
    before = xdnn_run.model_file.stat().st_mtime_ns
    assert train.train(xdnn_run)
    assert xdnn_run.model_file.stat().st_mtime_ns == before


def test_bags_train_and_all_images_of_a_group_have_its_answer(tiny_config, tmp_path):
    config = changed(tiny_config, "covnet", batch_size=4)
    config = dataclasses.replace(config, model=BaselineConfig(method="covnet", slices=2))
    run = train.create_run("covnet", config, tmp_path / "run")
    assert train.train(run)
    assert run.load_model().input_shape == (None, 32, 32, 3)
    predictions = predict_split(run, "validation")
    by_group = predictions.groupby("group_id")["probability"]
    assert len(predictions) > by_group.ngroups > 1
    assert (by_group.nunique() == 1).all()
    assert predictions["probability"].nunique() == by_group.ngroups


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        (
            "resnet50",
            {"model": {"slices": 4}},
            "resnet50 answers single images: choose --slices 1, or a method of covnet",
        ),
        ("covnet", {"model": {"slices": 0}}, "a bag has at least one slice"),
        ("resnet50", {"augment": {"crop": 0.0}}, r"--crop 0.0: is no share of an area"),
        ("resnet50", {"train": {"first_layer_rate": 0.0}}, "--first-layer-rate 0.0: choose it above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny_config, tmp_path, method, changes, message):
    config = changed(tiny_config, method)
    for section, values in changes.items():
        config = dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **values)})
    with pytest.raises(errors.CtcovError, match=message):
        train.create_run(method, config, tmp_path / "run")
