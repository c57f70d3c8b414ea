import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import config, errors, explain
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import registry, scores

BINARY = Labels(("covid19", "non_covid19"), "covid19", "binary")
THREE = Labels(("covid19", "other_pneumonia", "normal"), "other_pneumonia", "three_class")
FINDINGS = Labels(("atelectasis", "edema", "pneumonia"), "pneumonia", "findings")
PART1 = PartInfo("part1", "cxr_part1", FINDINGS, "phantom/cxr:1.0.0", "")
PART2 = PartInfo(
    "part2", "cxr_part2", Labels(("pneumonia", "normal"), "pneumonia", "two_class"), "phantom/cxr:1.0.0", ""
)


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


def cam_by_hand(model, layer, dense, outputs, images):
    """Class activation maps of one output an image, where pooling and one dense layer follow the map."""
    features = keras.Model(model.input, model.get_layer(layer).output)(images).numpy()
    weights = model.get_layer(dense).kernel.numpy()[: features.shape[-1], outputs].T
    maps = np.maximum(np.einsum("bhwc,bc->bhw", features, weights), 0)
    return maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-9)


def test_of_findings_the_likeliest_of_each_image_is_explained(images):
    keras.utils.set_random_seed(8)
    model = pooled_network(3)
    dense = model.get_layer("logits")
    dense.set_weights([dense.kernel, -np.mean(model(images), axis=0)])  # so that images differ in the likeliest
    probabilities, heatmaps = explain.GradCam(model, FINDINGS)(images)
    likeliest = np.argmax(probabilities, axis=1)
    assert len(set(likeliest)) > 1
    assert heatmaps.numpy().any(axis=(1, 2)).all()
    np.testing.assert_allclose(heatmaps, cam_by_hand(model, "convolution", "logits", likeliest, images), atol=1e-5)
    np.testing.assert_allclose(probabilities, keras.ops.sigmoid(model(images)), atol=1e-6)


@pytest.fixture(scope="module")
def fused():
    """Two frozen pooled networks, the first deeper than what fuses them: its maps stand last in the model."""
    keras.utils.set_random_seed(8)
    image = keras.Input((32, 32, 3), name="image")
    likelihoods = []
    for part, depth in (PART1, 3), (PART2, 1):
        x = image
        for index in range(depth):
            settings = {"padding": "same", "kernel_initializer": "he_normal", "name": f"{part.name}_conv{index}"}
            x = keras.layers.Conv2D(6, 3, strides=2, **settings)(x)
            x = keras.layers.Activation("relu", name=f"{part.name}_relu{index}")(x)
        x = keras.layers.GlobalAveragePooling2D(name=f"{part.name}_average_pool")(x)
        x = keras.layers.Dense(len(part.likelihoods), name=f"{part.name}_logits")(x)
        kind = "softmax" if part.labels.exclusive else "sigmoid"
        likelihoods.append(keras.layers.Activation(kind, name=part.name)(x))
    x = keras.layers.Conv2D(5, 3, strides=4, name="convolution")(image)
    x = keras.layers.Activation("relu", name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Concatenate(name="fusion")([x, *likelihoods])
    return keras.Model(image, keras.layers.Dense(1, name="logits")(x))


def test_of_a_fusion_part_3_is_explained(fused, images):
    cam = explain.GradCam(fused, BINARY)
    assert cam.layer == "relu"
    probabilities, heatmaps = cam(images)
    np.testing.assert_allclose(heatmaps, cam_by_hand(fused, "relu", "logits", [0, 0, 0], images), atol=1e-5)
    np.testing.assert_allclose(probabilities, keras.ops.sigmoid(fused(images)), atol=1e-6)


@pytest.mark.parametrize(("part", "layer"), [(PART1, "part1_relu2"), (PART2, "part2_relu0")])
def test_a_frozen_part_is_explained_by_its_own_maps_and_logits(fused, images, part, layer):
    cam = explain.GradCam(fused, part.labels, part=part.name)
    assert cam.layer == layer
    likelihoods, heatmaps = cam(images)
    inside = keras.Model(fused.input, fused.get_layer(part.name).output)(images)
    np.testing.assert_allclose(likelihoods, inside, atol=1e-6)
    explained = np.argmax(inside, axis=1) if part is PART1 else [part.labels.positive_index] * len(images)
    assert heatmaps.numpy().any()
    np.testing.assert_allclose(heatmaps, cam_by_hand(fused, layer, f"{part.name}_logits", explained, images), atol=1e-5)


def test_a_part_that_is_not_there_is_refused(images):
    with pytest.raises(errors.CtcovError, match="holds no part1: explain a Deep-CXR-Net"):
        explain.GradCam(pooled_network(1), FINDINGS, part="part1")


def test_one_pass_explains_as_three_do(fused, images, tmp_path):
    answers = explain.ExplainedAnswers(fused, BINARY, (PART1, PART2))
    module = tf.Module()
    module.weights = [variable.value for variable in fused.weights]
    module.explain = tf.function(answers, input_signature=[tf.TensorSpec((None, 32, 32, 3), tf.float32)])
    tf.saved_model.save(module, tmp_path / "saved")
    unexplained = scores.Answers(fused, BINARY, (PART1, PART2))(images)
    cams = {"heatmap": explain.GradCam(fused, BINARY)}
    cams |= {f"heatmap_{part.name}": explain.GradCam(fused, part.labels, part=part.name) for part in (PART1, PART2)}
    loaded = tf.saved_model.load(tmp_path / "saved")
    for explained in answers(images), loaded.explain(tf.constant(images)):
        for name, values in unexplained.items():
            np.testing.assert_allclose(explained[name], values, atol=1e-6)
        for name, cam in cams.items():
            np.testing.assert_allclose(explained[name], cam(images)[1], atol=1e-5)
        likelihoods = np.stack([explained[name] for name in PART1.likelihoods], axis=1)
        likeliest = [FINDINGS.outputs[index].encode() for index in np.argmax(likelihoods, axis=1)]
        assert explained["finding_part1"].numpy().tolist() == likeliest
        assert set(explained) == {*unexplained, *cams, "finding_part1"}


def test_an_image_is_explained_alike_alone_and_in_a_batch(fused, images):
    answers = explain.ExplainedAnswers(fused, BINARY, (PART1, PART2))
    together = answers(images)
    for index in range(len(images)):
        for name, values in answers(images[index : index + 1]).items():
            if values.dtype == tf.string:
                assert values[0] == together[name][index]
            else:
                np.testing.assert_allclose(values[0], together[name][index], atol=1e-5)


def test_it_is_traced_once_for_batches_of_any_size(images, monkeypatch):
    model, traced = pooled_network(1), []
    cam = explain.GradCam(model, BINARY)
    probabilities = scores.probabilities
    monkeypatch.setattr(scores, "probabilities", lambda *given: traced.append(given) or probabilities(*given))
    sizes = [len(cam(batch)[1]) for batch in (images, images[:1], tf.constant(images[:2]))]
    assert sizes == [3, 1, 2]
    assert len(traced) == 1


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
    "edge": config.DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, dense_units=8),
}


def explained(name):
    keras.utils.set_random_seed(2)
    model = registry.build(MODELS[name], 64, 1)
    cam = explain.GradCam(model, BINARY)
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype(np.float32)
    return model, cam, images, cam(images)


@pytest.mark.parametrize("name", MODELS)
def test_explains_every_model(name):
    model, _, images, (probabilities, heatmaps) = explained(name)
    np.testing.assert_allclose(probabilities, keras.ops.sigmoid(model(images, training=False)), atol=1e-5)
    assert heatmaps.dtype == tf.float32
    assert heatmaps.shape[0] == 2
    assert heatmaps.shape[1] > 1
    assert 0 <= heatmaps.numpy().min() <= heatmaps.numpy().max() <= 1


@pytest.mark.parametrize("name", ["slim", "small_cnn"])
def test_graph_and_saved_model_explain_alike(name, tmp_path):
    model, cam, images, alone = explained(name)
    module = tf.Module()
    module.weights = [variable.value for variable in model.weights]
    module.explain = tf.function(cam, input_signature=[tf.TensorSpec((None, 64, 64, 3), tf.float32)])
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    for one in (module, loaded):
        for found, expected in zip(one.explain(tf.constant(images)), alone, strict=True):
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
