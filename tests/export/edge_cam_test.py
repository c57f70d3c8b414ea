import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import explain
from ctcov_tf.config import DeepCTNetConfig, DeepCTNetEdgeConfig, SmallCNNConfig
from ctcov_tf.export.edge_cam import EdgeAnswers
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry
from ctcov_tf.models.inference_network import inference_network

DEEP = DeepCTNetConfig(
    blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, attention="slim", attention_channels=8, dense_units=8
)
EDGE = DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention_channels=8, dense_units=8)
NETWORKS = {
    "three levels": (DEEP, "three_class"),
    "two levels": (dataclasses.replace(DEEP, attention_levels=2), "binary"),
    "averaged": (dataclasses.replace(DEEP, pooling="average"), "findings"),
    "no attention": (dataclasses.replace(DEEP, attention="none"), "binary"),
    "edge": (dataclasses.replace(EDGE, pooling="average", attention_levels=2), "binary"),
    "edge, flattened": (EDGE, "findings"),
    "small": (SmallCNNConfig(channels=(8, 8, 8)), "findings"),
}


def answered(config, head, size=96):
    """Our answers to six images, and those of Grad-CAM."""
    keras.utils.set_random_seed(2)
    labels = Labels(("normal", "covid19", "other_pneumonia"), "covid19", head)
    model = inference_network(registry.build(dataclasses.replace(config, head=head), size, len(labels.outputs)))
    images = np.random.default_rng(0).normal(size=(6, size, size, 3)).astype(np.float32)
    dense = model.get_layer("logits")
    dense.set_weights([dense.kernel, -np.mean(model(images), axis=0)])  # so that images differ in the likeliest
    return tf.function(EdgeAnswers(model, labels))(images), explain.GradCam(model, labels)(images)


@pytest.mark.parametrize(("config", "head"), NETWORKS.values(), ids=NETWORKS)
def test_equals_grad_cam(config, head):
    found, (probabilities, heatmaps) = answered(config, head)
    assert set(found) == {"probabilities", "heatmap"}
    assert np.max(heatmaps) == 1
    assert np.ptp(heatmaps) > 0.1
    assert head != "findings" or len(set(np.argmax(probabilities, axis=1))) > 1
    rectified = not isinstance(config, SmallCNNConfig)  # behind the map, where an input of 0 may round to either side
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5 if rectified else 1e-6)
    np.testing.assert_allclose(found["heatmap"], heatmaps, atol=2e-3 if rectified else 1e-4)
    np.testing.assert_allclose(np.max(found["heatmap"], axis=(1, 2)), np.any(heatmaps, axis=(1, 2)), atol=1e-6)


def test_paper_attention_has_none():
    """Its kernels, most of the network, would have to be stored twice."""
    found, (probabilities, _) = answered(dataclasses.replace(DEEP, attention="paper"), "binary", 64)
    assert set(found) == {"probabilities"}
    np.testing.assert_allclose(found["probabilities"], probabilities, atol=1e-5)


def test_another_head_has_none():
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3)(image)
    x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(1, name="logits")(x))
    answers = EdgeAnswers(model, Labels(("covid19", "normal"), "covid19", "binary"))
    assert set(tf.function(answers)(np.zeros((1, 16, 16, 3), np.float32))) == {"probabilities"}
