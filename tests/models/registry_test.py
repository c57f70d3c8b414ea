import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.config import DeepCTNetConfig, DeepCTNetEdgeConfig, SmallCNNConfig
from ctcov_tf.models import registry, summary

TINY = DeepCTNetConfig(
    blocks=(1, 2, 2, 1), growth_rate=4, stem_channels=8, attention="slim", attention_channels=8, dense_units=8
)
CONFIGS = {
    "paper": dataclasses.replace(TINY, attention="paper"),
    "slim": TINY,
    "slim_2_levels_stride_16": dataclasses.replace(TINY, attention_levels=2, output_stride=16),
    "average": dataclasses.replace(TINY, pooling="average"),
    "no_attention": dataclasses.replace(TINY, attention="none", dropout=0.5),
    "small_cnn": SmallCNNConfig(channels=(8, 12)),
    "edge": DeepCTNetEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention_channels=8, dense_units=8),
}


def images(count, size):
    return np.random.default_rng(0).normal(size=(count, size, size, 3)).astype("float32")


@pytest.fixture
def bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_contract_and_round_trip(name, outputs, tmp_path):
    model = registry.build(CONFIGS[name], 64, outputs)
    assert model.input.name == "image"
    assert model.layers[-1].name == "logits"
    x = images(2, 64)
    logits = model(x)
    assert logits.shape == (2, outputs)
    assert logits.dtype == tf.float32
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), logits)


@pytest.mark.parametrize("name", CONFIGS)
def test_graph_is_flat_and_names_are_stable(name):
    first, second = (registry.build(CONFIGS[name], 32, 1) for _ in range(2))
    assert not any(isinstance(layer, keras.Model) for layer in first.layers)
    assert [v.path for v in first.weights] == [v.path for v in second.weights]
    assert len({v.path for v in first.weights}) == len(first.weights)
    assert any(len(layer.output.shape) == 4 for layer in first.layers[-6:])


@pytest.mark.parametrize("size", [32, 56, 96])
def test_image_sizes(size):
    for config in CONFIGS.values():
        assert np.isfinite(registry.build(config, size, 1)(images(1, size))).all()


@pytest.mark.parametrize("name", ["paper", "slim", "small_cnn", "edge"])
def test_logits_are_float32_under_bfloat16(bfloat16, name):
    model = registry.build(CONFIGS[name], 32, 1)
    assert model(images(2, 32)).dtype == tf.float32
    assert all(v.dtype == "float32" for v in model.weights)
    assert model.get_layer(index=3).compute_dtype == "bfloat16"


@pytest.mark.parametrize("name", ["slim", "small_cnn", "edge"])
def test_learns_from_random_weights(name):
    keras.utils.set_random_seed(0)
    x = images(24, 32)
    y = (np.arange(24) % 2).astype("float32")[:, None]
    x[y[:, 0] == 1, 8:20, 8:20] += 1.5
    model = registry.build(CONFIGS[name], 32, 1)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(3e-3), loss, metrics=[keras.metrics.AUC(from_logits=True, name="auc")], jit_compile=False
    )
    model.fit(x, y, batch_size=12, epochs=25, verbose=0)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["auc"] > 0.95


def test_sizes_of_the_published_configurations():
    """The README's table; DenseNet-121 at 224 px is 5.7 GFLOP in the literature, 7.4 at 256 px.

    Ours pools before the convolutions of its transitions, which saves 0.6.
    """
    slim = summary.describe(registry.build(DeepCTNetConfig(attention="slim", attention_levels=2), 256, 1))
    small = summary.describe(registry.build(SmallCNNConfig(), 256, 1))
    edge = summary.describe(registry.build(DeepCTNetEdgeConfig(attention_levels=2), 256, 1))
    assert edge["parameters"] == pytest.approx(3.77e6, rel=1e-3)
    assert edge["gflops"] == pytest.approx(1.02, abs=0.01)
    assert slim["parameters"] == pytest.approx(7.36e6, rel=1e-3)
    assert small["parameters"] == pytest.approx(1.28e6, rel=1e-2)
    assert slim["gflops"] == pytest.approx(6.81, abs=0.05)
    assert small["gflops"] == pytest.approx(0.95, abs=0.05)


def test_describe_counts_by_the_formula():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, padding="same", use_bias=False)])
    model.layers[0].trainable = False
    assert summary.describe(model) == {"parameters": 108, "trainable": 0, "gflops": 2 * 8 * 8 * 108 / 1e9}
