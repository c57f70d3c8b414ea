import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.layers import FusedBatchNormalization

SHAPES = [(16, 5, 7, 8), (1, 3, 3, 8), (4, 1, 1, 8), (1, 1, 1, 8)]
TOLERANCE = {"float32": 1e-4, "mixed_bfloat16": 2e-2}


def step(layer, x, weights):
    """Outputs and gradients of one training step inside a graph."""

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) * weights)
        return y, *tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    return run(x)


def assert_same(ours, stock, tolerance):
    for a, b in zip(ours, stock, strict=True):
        a, b = np.asarray(tf.cast(a, tf.float32)), np.asarray(tf.cast(b, tf.float32))
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, atol=tolerance * max(1.0, np.abs(b).max()))


@pytest.fixture
def pair():
    """Builds the stock layer and ours with equal, uneven weights."""

    def build(shape, dtype="float32", **kwargs):
        rng = np.random.default_rng(0)
        layers = []
        for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
            layer = kind(epsilon=1e-5, momentum=0.9, dtype=dtype, **kwargs)
            layer.build(shape)
            layers.append(layer)
        values = [rng.uniform(0.5, 2, v.shape) for v in layers[0].weights]
        for layer in layers:
            layer.set_weights(values)
        return layers

    return build


def maps(shape, mean=2.0, deviation=3.0, seed=1):
    return tf.constant(np.random.default_rng(seed).normal(mean, deviation, shape), tf.float32)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_stock_layer(pair, shape, dtype):
    stock, ours = pair(shape, dtype)
    x, weights = maps(shape), maps(shape, 0.0, 1.0, seed=2)
    assert_same(step(ours, x, weights), step(stock, x, weights), TOLERANCE[dtype])
    assert_same(ours.non_trainable_variables, stock.non_trainable_variables, 1e-5)
    inference = ours(x, training=False)
    assert inference.dtype == ours.compute_dtype
    assert_same([inference], [stock(x, training=False)], TOLERANCE[dtype])


def test_variance_does_not_cancel_where_the_mean_is_far_above_the_deviation():
    layer = FusedBatchNormalization(momentum=0.0)
    x = maps((8, 6, 6, 4), mean=300.0, deviation=0.1)
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_variance, np.var(x.numpy().astype("float64"), axis=(0, 1, 2)), rtol=1e-3)


def test_moving_variance_is_the_biased_one():
    layer = FusedBatchNormalization(momentum=0.0)
    x = maps((2, 1, 2, 3))
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_variance, np.var(x, axis=(0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("kwargs", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_equals_stock_layer_without_scale_or_offset(pair, kwargs):
    shape = (4, 3, 3, 8)
    stock, ours = pair(shape, **kwargs)
    x, weights = maps(shape), maps(shape, 0.0, 1.0, seed=2)
    assert_same(step(ours, x, weights), step(stock, x, weights), 1e-4)


@pytest.mark.parametrize(
    ("shape", "kwargs"), [((6, 8), {}), ((4, 5, 8), {}), ((4, 8, 3, 3), {"axis": 1}), ((4, 3, 3, 8), {"renorm": True})]
)
def test_falls_back_where_the_kernel_does_not_apply(pair, shape, kwargs):
    stock, ours = pair(shape, **kwargs)
    x, weights = maps(shape), maps(shape, 0.0, 1.0, seed=2)
    assert_same(step(ours, x, weights), step(stock, x, weights), 0.0)


def test_mask_is_honoured(pair):
    stock, ours = pair((2, 3, 4, 8))
    x, mask = maps((2, 3, 4, 8)), tf.constant([[[True, False, True, True]] * 3] * 2)
    assert_same([ours(x, training=True, mask=mask)], [stock(x, training=True, mask=mask)], 0.0)


def test_frozen_layer_keeps_its_statistics(pair):
    _, ours = pair((4, 3, 3, 8))
    ours.trainable = False
    before = ours.get_weights()
    outputs = ours(maps((4, 3, 3, 8)), training=True)
    assert_same(ours.get_weights(), before, 0.0)
    assert_same([outputs], [ours(maps((4, 3, 3, 8)), training=False)], 0.0)


def test_saves_and_exports(tmp_path):
    model = keras.Sequential([keras.Input((6, 6, 3)), FusedBatchNormalization(name="bn")])
    model(maps((8, 6, 6, 3)), training=True)
    x = maps((2, 6, 6, 3), seed=5)
    expected = model(x, training=False).numpy()

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x, training=False), expected)

    model.export(tmp_path / "saved_model", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved_model"))
    np.testing.assert_allclose(served.serve(x), expected, atol=1e-5)

    from ai_edge_litert.interpreter import Interpreter

    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved_model")).convert()
    interpreter = Interpreter(model_content=content)
    interpreter.resize_tensor_input(0, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.numpy())
    interpreter.invoke()
    np.testing.assert_allclose(
        interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), expected, atol=1e-5
    )
