import keras
import numpy as np
import tensorflow as tf

from ctcov_tf import explain
from ctcov_tf.config import DenseNetClassifierConfig
from ctcov_tf.export.edge_cam import EdgeAnswers
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry

CONFIG = DenseNetClassifierConfig(blocks=(1, 2, 2, 1), growth_rate=4, stem_channels=8)
SCALED = DenseNetClassifierConfig(**{**vars(CONFIG), "input_scale": 2048.0, "input_offset": -1024.0})


def images(count=2, size=64):
    return np.random.default_rng(0).uniform(size=(count, size, size, 3)).astype("float32")


def test_contract_and_round_trip(tmp_path):
    model = registry.build(SCALED, 64, 3)
    assert (model.input.name, model.layers[-1].name) == ("image", "logits")
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    logits = model(images())
    assert logits.shape == (2, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images()), logits)


def test_scales_its_input():
    plain, scaled = registry.build(CONFIG, 64, 3), registry.build(SCALED, 64, 3)
    scaled.set_weights(plain.get_weights())
    np.testing.assert_allclose(scaled(images()), plain(images() * 2048 - 1024), rtol=1e-4, atol=1e-4)
    assert np.abs(scaled(images()) - plain(images())).max() > 1e-2


def test_starts_from_a_backbones_weights(tmp_path):
    first = registry.build(CONFIG, 64, 3)
    first.save(tmp_path / "first.keras")
    config = DenseNetClassifierConfig(**{**vars(CONFIG), "weights": str(tmp_path / "first.keras")})
    second = registry.build(config, 64, 3)
    np.testing.assert_array_equal(second.get_layer("conv1_conv").kernel, first.get_layer("conv1_conv").kernel)
    assert registry.without_weights(config) == CONFIG


def test_explained_without_gradients_as_by_grad_cam():
    labels = Labels(("covid19", "normal"), "covid19", "binary")
    model = registry.build(SCALED, 64, 1)
    answers = tf.function(EdgeAnswers(model, labels))(images())
    grad_cam = explain.GradCam(model, labels)
    assert grad_cam.layer == "relu"
    for ours, expected in zip(answers.values(), grad_cam(images()), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)
