import dataclasses

import keras
import numpy as np
import pytest

from ctcov_tf import explain
from ctcov_tf.config import DeepCTNetConfig, SmallCNNConfig
from ctcov_tf.export import edge_cam
from ctcov_tf.model_info import Labels
from ctcov_tf.models import registry

DEEP = DeepCTNetConfig(
    blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, attention="slim", attention_channels=8, dense_units=8
)
SMALL = SmallCNNConfig(channels=(8, 8, 8))


@pytest.mark.parametrize("head", ["binary", "three_class", "findings"])
def test_equals_grad_cam(head):
    keras.utils.set_random_seed(1)
    labels = Labels(("normal", "covid19", "other_pneumonia"), "covid19", head)
    model = registry.build(dataclasses.replace(SMALL, head=head), 64, len(labels.outputs))
    images = np.random.default_rng(0).normal(size=(12, 64, 64, 3)).astype(np.float32)
    dense = model.get_layer("logits")
    dense.set_weights([dense.kernel, -np.mean(model(images), axis=0)])  # so that images differ in the likeliest
    cam = edge_cam.edge_cam(model, labels)
    assert cam is not None
    probabilities, heatmaps = map(cam(images).get, ("probabilities", "heatmap"))
    expected_probabilities, expected = explain.GradCam(model, labels)(images)
    assert np.max(expected) == 1
    assert np.ptp(expected) > 0.1
    assert head != "findings" or len(set(np.argmax(probabilities, axis=1))) > 1
    np.testing.assert_allclose(probabilities, expected_probabilities, atol=1e-5)
    np.testing.assert_allclose(heatmaps, expected, atol=1e-4)


def test_deep_ct_net_has_none():
    """Its explained map lies before the attention."""
    labels = Labels(("covid19", "normal"), "covid19", "binary")
    assert edge_cam.edge_cam(registry.build(DEEP, 64, 1), labels) is None


def test_another_head_has_none():
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3)(image)
    x = keras.layers.GlobalMaxPooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(1, name="logits")(x))
    assert edge_cam.edge_cam(model, Labels(("covid19", "normal"), "covid19", "binary")) is None
