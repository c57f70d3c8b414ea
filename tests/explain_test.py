import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import config, errors, explain
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry

BINARY = Labels(("covid19", "non_covid19"), "covid19", "binary")
THREE = Labels(("covid19", "other_pneumonia", "normal"), "other_pneumonia", "three_class")


def pooled_network(outputs, dtype=None):
    """Convolution, global average, dense: here Grad-CAM is the class activation map, known in closed form."""
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(6, 3, strides=4, activation="relu", name="convolution", dtype=dtype)(image)
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(image, keras.layers.Dense(outputs, name="logits", dtype="float32")(x))


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize(("labels", "logit"), [(BINARY, 0), (THREE, 1)], ids=["binary", "three_class"])
def test_is_the_class_activation_map_of_a_pooled_network(labels, logit, images):
    keras.utils.set_random_seed(1)
    model = pooled_network(len(labels.outputs))
    probabilities, heatmaps = explain.GradCam(model, labels)(images)
    features = keras.Model(model.input, model.get_layer("convolution").output)(images).numpy()
    expected = np.maximum(features @ model.get_layer("logits").kernel.numpy()[:, logit], 0)
    expected /= np.maximum(expected.max(axis=(1, 2), keepdims=True), 1e-9)
    np.testing.assert_allclose(heatmaps, expected, atol=1e-5)
    logits = model(images).numpy()
    activation = keras.activations.sigmoid if labels.head == "binary" else keras.activations.softmax
    np.testing.assert_allclose(probabilities, activation(logits), atol=1e-6)


def test_without_evidence_the_map_is_zero(images):
    model = pooled_network(1)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([-np.abs(kernel), bias])
    _, heatmaps = explain.GradCam(model, BINARY)(images)
    np.testing.assert_array_equal(heatmaps, np.zeros_like(heatmaps))


def test_finds_the_bright_patch():
    model = pooled_network(1)
    convolution, dense = model.get_layer("convolution"), model.get_layer("logits")
    convolution.set_weights([np.full_like(weights, 0.1) for weights in convolution.get_weights()])
    dense.set_weights([np.ones_like(weights) for weights in dense.get_weights()])
    image = np.zeros((1, 32, 32, 3), np.float32)
    image[0, 16:24, 4:8] = 1
    _, heatmaps = explain.GradCam(model, BINARY)(image)
    row, column = np.unravel_index(np.argmax(heatmaps[0]), heatmaps[0].shape)
    assert (row, column) in {(4, 1), (5, 1)}


MODELS = {
    "paper": config.DeepCTNetConfig(blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, attention="paper"),
    "slim": config.DeepCTNetConfig(
        blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, attention="slim", attention_channels=16
    ),
    "small_cnn": config.SmallCNNConfig(channels=(4, 8)),
}


def eager_and_images(name):
    keras.utils.set_random_seed(2)
    model = registry.build(MODELS[name], 64, 1)
    cam = explain.GradCam(model, BINARY)
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype(np.float32)
    return model, cam, images, cam(images)


@pytest.mark.parametrize("name", MODELS)
def test_explains_every_model(name):
    model, _, images, (probabilities, heatmaps) = eager_and_images(name)
    np.testing.assert_allclose(probabilities, keras.ops.sigmoid(model(images, training=False)), atol=1e-5)
    assert heatmaps.dtype == tf.float32
    assert heatmaps.shape[0] == 2
    assert heatmaps.shape[1] > 1
    assert 0 <= heatmaps.numpy().min() <= heatmaps.numpy().max() <= 1


@pytest.mark.parametrize("name", ["slim", "small_cnn"])
def test_graph_and_saved_model_explain_alike(name, tmp_path):
    model, cam, images, eager = eager_and_images(name)
    module = tf.Module()
    module.weights = [variable.value for variable in model.weights]
    module.explain = tf.function(cam, input_signature=[tf.TensorSpec((None, 64, 64, 3), tf.float32)])
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    for one in (module, loaded):
        for found, expected in zip(one.explain(tf.constant(images)), eager, strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-4)


def test_frozen_and_bfloat16_networks_are_explained(images):
    keras.utils.set_random_seed(3)
    model = pooled_network(1, dtype="mixed_bfloat16")
    model.trainable = False
    dense = model.get_layer("logits")
    dense.set_weights([np.abs(weights) for weights in dense.get_weights()])
    probabilities, heatmaps = explain.GradCam(model, BINARY)(images)
    assert probabilities.dtype == heatmaps.dtype == tf.float32
    np.testing.assert_allclose(heatmaps.numpy().max(axis=(1, 2)), 1)


def test_a_named_layer_gives_its_own_map(images):
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="fine")(image)
    x = keras.layers.Conv2D(4, 3, strides=8, name="coarse")(x)
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    assert explain.GradCam(model, BINARY).layer == "coarse"
    assert explain.GradCam(model, BINARY, "fine")(images)[1].shape == (3, 32, 32)


def test_a_layer_without_map_is_refused():
    model = pooled_network(1)
    with pytest.raises(errors.CtcovError, match=r"'logits'.*no feature map.*convolution"):
        explain.GradCam(model, BINARY, "logits")
    with pytest.raises(errors.CtcovError, match="'nowhere'"):
        explain.GradCam(model, BINARY, "nowhere")


def test_a_network_without_maps_is_refused():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    with pytest.raises(errors.CtcovError, match="no feature map to explain"):
        explain.GradCam(model, BINARY)


@pytest.mark.parametrize("attention", ["none", "slim", "paper"])
def test_deep_ct_net_is_explained_at_its_last_rectified_map(attention):
    model = registry.build(
        config.DeepCTNetConfig(
            blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, attention=attention, attention_channels=8
        ),
        64,
        1,
    )
    assert explain.GradCam(model, BINARY).layer == "relu"
