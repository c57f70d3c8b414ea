import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import configs, errors
from ctcov_tf.config import BaselineConfig, TrainConfig
from ctcov_tf.explain import GradCam
from ctcov_tf.model_info import Labels
from ctcov_tf.models import feature_maps, registry
from ctcov_tf.models.baselines.baseline import trained_form
from ctcov_tf.models.baselines.methods import METHODS
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.training import head_losses, optimization

SIZE = 64
LABELS = Labels(("covid19", "normal"), "covid19", "binary")
ARCHITECTURES = ("dl_system", "unet_plus_plus", "resnet50", "xdnn", "light_cnn", "caad", "hall")
"""One method of each network; the others differ from one of these in depth or in training."""
EXPLAINED = {
    "covnet": "conv5_block3_out",
    "dl_system": "relu",
    "hybrid_3d": "relu",
    "unet_plus_plus": "node04_2_relu",
    "densenet169": "relu",
    "resnet50": "conv5_block3_out",
    "xdnn": "block5_conv3",
    "light_cnn": "skip_conv",
    "caad": "top_activation",
    "covid_resnet": "conv5_block3_out",
    "hall": "conv5_block3_out",
}


@functools.cache
def network(method):
    """An untrained network, built once."""
    keras.utils.set_random_seed(1)
    return registry.build(BaselineConfig(method=method), SIZE, 1)


@pytest.fixture(scope="module", autouse=True)
def forget_them():
    yield
    network.cache_clear()


@functools.cache
def images(count=3):
    return np.random.default_rng(0).normal(size=(count, SIZE, SIZE, 3)).astype("float32")


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_every_method_has_a_preset_of_its_name():
    for name in METHODS:
        model = configs.load(name).model
        assert isinstance(model, BaselineConfig)
        assert model.method == name
        assert model.weights == "none"  # nothing is downloaded that was not asked for


@pytest.mark.parametrize("method", METHODS)
def test_contract(method):
    model = network(method)
    assert model.input.name == "image"
    assert model.layers[-1].name == "logits"
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert len({variable.path for variable in model.weights}) == len(model.weights)
    logits = model(images())
    assert logits.shape == (3, 1)
    assert logits.dtype == tf.float32
    assert len(set(logits.numpy()[:, 0])) == 3


@pytest.mark.parametrize(
    ("method", "backbone", "features"),
    [("resnet50", 23_587_712, 2048), ("densenet169", 12_642_880, 1664), ("hybrid_3d", 7_037_504, 1024)],
)
def test_parameters_are_those_of_keras_applications(method, backbone, features):
    assert network(method).count_params() == backbone + features + 1


@pytest.mark.parametrize("method", METHODS)
def test_heat_maps_and_gate_look_at_rectified_maps(method):
    model = network(method)
    cam = GradCam(model, LABELS)
    assert cam.layer == EXPLAINED[method]
    assert feature_maps.first_rectified(model).output.shape[1] >= SIZE // 2
    probabilities, heatmaps = cam(images())
    assert probabilities.shape == (3, 1)
    assert heatmaps.shape == (3, *model.get_layer(cam.layer).output.shape[1:3])
    assert np.isfinite(heatmaps).all()
    assert np.max(heatmaps) <= 1


@pytest.mark.parametrize("method", ARCHITECTURES)
def test_round_trip_is_bit_for_bit(method, tmp_path):
    model = network(method)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images()), model(images()))


@pytest.mark.parametrize("method", ["dl_system", "resnet50", "light_cnn", "caad", "unet_plus_plus"])
def test_paths_are_stable_and_logits_float32_under_bfloat16(bfloat16, method):
    network(method)
    model = registry.build(BaselineConfig(method=method), SIZE, 1)
    assert [variable.path for variable in model.weights] == [variable.path for variable in network(method).weights]
    assert all(variable.dtype == "float32" for variable in model.weights)
    assert feature_maps.last_rectified(model).compute_dtype == "bfloat16"
    assert model(images()).dtype == tf.float32


@pytest.mark.parametrize("method", [name for name in ARCHITECTURES if name != "xdnn"])
def test_gradients_reach_all_weights(method):
    config = BaselineConfig(method=method)
    model = trained_form(config, network(method))
    loss = head_losses.over_heads(config, optimization.make_loss(TrainConfig(), LABELS), LABELS)
    without = []

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            value = loss(np.array([[1.0], [0.0], [1.0]], "float32"), model(images(), training=True))
        gradients = tape.gradient(value, [variable.value for variable in model.trainable_variables])
        without.extend(
            variable.path
            for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
            if gradient is None
        )

    step.get_concrete_function()  # tracing alone tells which gradients there are
    assert without == []


@pytest.mark.parametrize("method", ARCHITECTURES)
def test_the_network_that_is_exported_answers_alike(method):
    exported = inference_network(network(method))
    np.testing.assert_allclose(exported(images()), network(method)(images()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", ["unet_plus_plus", "hall", "xdnn"])
def test_heads_of_several_classes(method):
    model = registry.build(BaselineConfig(method=method, head="three_class"), SIZE, 3)
    assert model(images()).shape == (3, 3)


def test_two_exclusive_classes_have_two_logits_of_prototypes():
    model = registry.build(BaselineConfig(method="xdnn", head="two_class"), SIZE, 2)
    assert model(images()).shape == (3, 2)


@pytest.mark.parametrize(("method", "size"), [("unet_plus_plus", 33), ("light_cnn", 47)])
def test_decoders_take_sizes_that_do_not_halve_evenly(method, size):
    model = registry.build(BaselineConfig(method=method), size, 1)
    assert np.isfinite(model(np.zeros((1, size, size, 3), "float32"))).all()


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_asked_for_once(method):
    """Later stages of image size, and reading a run, need no file and no download."""
    config = dataclasses.replace(configs.load(method).model, weights="imagenet")
    assert registry.without_weights(config).weights == "none"


@pytest.mark.parametrize(
    ("method", "settings", "outputs", "size", "message"),
    [
        ("caad", {"head": "three_class"}, 3, 32, "caad tells anomalous from normal: choose --head binary"),
        ("xdnn", {"head": "findings"}, 6, 32, "exclude each other: choose --head binary"),
        ("xdnn", {"weights": "imagenet"}, 1, 64, "for 224 px: choose --image-size 224"),
        ("light_cnn", {"weights": "imagenet"}, 1, 32, "choose --weights none"),
        ("dl_system", {"weights": "imagenet"}, 1, 32, "choose --weights none"),
    ],
)
def test_what_a_method_cannot_do_is_said(method, settings, outputs, size, message):
    with pytest.raises(errors.CtcovError, match=message):
        registry.build(BaselineConfig(method=method, **settings), size, outputs)


def test_the_classifier_drops_features():
    layers = {
        layer.name: layer for layer in registry.build(BaselineConfig(method="dl_system", dropout=0.3), 32, 1).layers
    }
    assert layers["dropout"].rate == 0.3
    assert "dropout" not in [layer.name for layer in network("dl_system").layers]
