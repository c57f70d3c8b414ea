"""The rewritten network answers as the trained one, whatever its batch norms hold."""

import dataclasses

import keras
import numpy as np
import pytest

from benchmarks import frozen_parts, random_network
from ctcov_tf import config, errors, explain
from ctcov_tf.model_info import Labels
from ctcov_tf.models import inference_network, registry, scores

NARROW = {"blocks": (2, 2, 1), "growth_rate": 8, "stem_channels": 16}
PYRAMID = config.DeepCTNetConfig(**NARROW, output_stride=16, attention_channels=8, dense_units=8)


def images(model, count=3):
    return np.random.default_rng(0).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def norms(model):
    return [one.name for one in model._flatten_layers() if isinstance(one, keras.layers.BatchNormalization)]


def settled_gammas_of_both_signs(model):
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            signs = np.random.default_rng(1).choice([-1, 1], layer.gamma.shape)
            layer.gamma.assign(layer.gamma * signs)
    return model


@pytest.mark.parametrize("attention", ["slim", "paper", "none"])
@pytest.mark.parametrize(("output_stride", "levels"), [(16, 2), (16, 3), (8, 2), (8, 3)])
def test_deep_ct_net(attention, output_stride, levels):
    network = dataclasses.replace(PYRAMID, attention=attention, output_stride=output_stride, attention_levels=levels)
    model = settled_gammas_of_both_signs(random_network.build(network, 64, outputs=2))
    assert_equal(inference_network.inference_network(model), model)


@pytest.mark.parametrize(
    "network",
    [
        config.SmallCNNConfig(channels=(8, 12, 8)),
        config.DeepCTNetEdgeConfig(repeats=(1, 2, 1, 1, 1, 1, 1), width=0.25, attention_channels=8, dense_units=8),
        config.DenseNetClassifierConfig(**NARROW | {"blocks": (2, 1, 1, 1)}, input_scale=2048.0, input_offset=-1024.0),
    ],
)
def test_the_other_networks(network):
    model = settled_gammas_of_both_signs(random_network.build(network, 64, outputs=3))
    assert_equal(inference_network.inference_network(model), model)


@pytest.mark.parametrize(
    "network",
    [
        config.DeepCXRNetConfig(**NARROW, output_stride=16, attention="slim", dense_units=(8, 4)),
        config.DeepCXRNetEdgeConfig(
            repeats=(1, 2, 1, 1, 1, 1, 1), width=0.25, attention_channels=8, dense_units=(8, 4)
        ),
    ],
)
def test_a_fusion_keeps_its_parts(network):
    parts = frozen_parts.random_parts(network, 64)
    model = registry.build(network, 64, 1, parts)
    found = inference_network.inference_network(model)
    assert_equal(found, model)
    scores.check_parts(found, [part.info for part in parts], "here")
    infos = [part.info for part in parts]
    labels = Labels(("covid19", "normal"), "covid19", "binary")
    batch = images(model)
    expected = explain.ExplainedAnswers(model, labels, infos)(batch)
    for name, value in explain.ExplainedAnswers(found, labels, infos)(batch).items():
        if value.dtype != "string":
            np.testing.assert_allclose(value, expected[name], atol=1e-3, err_msg=name)


def assert_equal(found, model):
    batch = images(model)
    expected = model(batch, training=False)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found(batch, training=False), expected, atol=1e-4 * np.abs(expected).max())
    assert not norms(found)
    assert norms(model)


def test_heat_maps_are_those_of_the_trained_network():
    model = random_network.build(dataclasses.replace(PYRAMID, attention="slim"), 64)
    labels = Labels(("covid19", "normal"), "covid19", "binary")
    batch = images(model)
    _, expected = explain.GradCam(model, labels)(batch)
    _, found = explain.GradCam(inference_network.inference_network(model), labels)(batch)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_pools_by_a_convolution():
    model = random_network.build(PYRAMID, 64)
    found = inference_network.inference_network(model)
    assert isinstance(model.get_layer("pool2_pool"), keras.layers.AveragePooling2D)
    assert isinstance(found.get_layer("pool2_pool"), keras.layers.DepthwiseConv2D)
    assert found.get_layer("pool2_conv").output.shape[1:3] == (8, 8)


def test_no_depthwise_convolution_stands_for_a_norm_behind_another():
    network = config.DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention="none", dense_units=8)
    found = inference_network.inference_network(random_network.build(network, 64))
    kernels = [one.name for one in found.layers if isinstance(one, keras.layers.DepthwiseConv2D)]
    assert kernels == [*(f"block{stage}a_dwconv" for stage in range(1, 8)), "head_bn"]


def test_bfloat16_maps_between_float32_images_and_logits():
    model = random_network.build(dataclasses.replace(PYRAMID, attention="slim"), 64)
    found = inference_network.inference_network(model, "bfloat16")
    assert found.output.dtype == found.input.dtype == "float32"
    types = {layer.name: layer.output.dtype for layer in found.layers}
    assert types["conv1_conv"] == types["bn"] == types["attention"] == types["head_bn"] == "bfloat16"
    assert types["flatten"] == types["dense"] == "float32"
    assert found.get_layer("conv2_block1_1_conv").kernel.dtype == "bfloat16"
    batch = images(model)
    expected = model(batch, training=False)
    np.testing.assert_allclose(found(batch, training=False), expected, atol=0.05 * np.abs(expected).max())


def test_another_arithmetic_is_refused():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="half", dtype="float16")(image))
    with pytest.raises(errors.CtcovError, match="layer half computes in float16: export a float32 model"):
        inference_network.inference_network(model)
