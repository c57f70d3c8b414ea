import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.layers import FeaturePyramidAttention


def maps(*shape):
    return tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)


def moving_variances(layer):
    return {v.path: v.numpy() for v in layer.weights if v.path.endswith("moving_variance")}


@pytest.mark.parametrize("variant", ["paper", "slim"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_keeps_the_size_of_any_map(variant, size):
    layer = FeaturePyramidAttention(variant)
    x = maps(2, size, size, 16)
    for training in (True, False):
        y = layer(x, training=training)
        assert y.shape == layer.compute_output_shape(x.shape) == (2, size, size, 16 if variant == "paper" else 64)
        assert np.isfinite(y).all()


def test_oblong_map():
    assert FeaturePyramidAttention("slim", channels=8)(maps(1, 5, 9, 4)).shape == (1, 5, 9, 8)


@pytest.mark.parametrize(("variant", "low", "high"), [("paper", 28.8e6, 29.0e6), ("slim", 0.1e6, 0.2e6)])
def test_parameters_over_1024_channels(variant, low, high):
    layer = FeaturePyramidAttention(variant)
    layer.build((None, 8, 8, 1024))
    assert low < layer.count_params() < high


@pytest.mark.parametrize("variant", ["paper", "slim"])
def test_levels_add_kernels_of_7_5_3(variant):
    for levels in (1, 2, 3):
        layer = FeaturePyramidAttention(variant, levels=levels)
        layer.build((None, 8, 8, 16))
        kernels = [v.shape[0] for v in layer.weights if "lateral" in v.path and v.path.endswith("kernel")]
        assert kernels == [7, 5, 3][:levels]


def test_is_main_times_pyramid_plus_pooled():
    layer = FeaturePyramidAttention("slim", channels=4, levels=2)
    x = maps(2, 8, 8, 6)
    layer(x)
    weights = {v.path.split("/", 1)[1]: v for v in layer.weights}
    for name in ("kernel", "bias"):
        weights[f"widen_conv/{name}"].assign(tf.zeros_like(weights[f"widen_conv/{name}"].value))
    pooled = tf.nn.relu(tf.reduce_mean(x, (1, 2)) @ weights["pooled_conv/kernel"][0, 0])
    np.testing.assert_allclose(layer(x), np.broadcast_to(pooled[:, None, None], (2, 8, 8, 4)), atol=1e-5)
    weights["widen_conv/bias"].assign(tf.ones(4))
    main = tf.nn.relu(x @ weights["main_conv/kernel"][0, 0] / np.sqrt(1 + 1e-5))
    np.testing.assert_allclose(layer(x), main + pooled[:, None, None], atol=1e-5)


@tf.function
def gradients(layer, x, loss, training):
    """By the layer's variables and by its input; in a graph, since eager ones of 1 x 1 maps have crashed TensorFlow."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(layer(x, training=training))
    return tape.gradient(value, ([variable.value for variable in layer.trainable_variables], x))


def test_every_position_sees_the_whole_map():
    keras.utils.set_random_seed(0)
    layer = FeaturePyramidAttention("paper")
    layer.build((1, 8, 8, 16))
    _, gradient = gradients(layer, maps(1, 8, 8, 16), lambda y: tf.reduce_sum(y[0, 0, 0]), training=False)
    assert np.abs(gradient[0, 7, 7]).max() > 0


@pytest.mark.parametrize("variant", ["paper", "slim"])
def test_round_trip(variant, tmp_path):
    image = keras.Input((7, 7, 12))
    model = keras.Model(image, FeaturePyramidAttention(variant, levels=2, name="attention")(image))
    x = maps(4, 7, 7, 12)
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), model(x))
    assert [v.path for v in loaded.weights] == [v.path for v in model.weights]


def test_variables_do_not_depend_on_the_size_of_the_map():
    shapes = []
    for size in (2, 3, 8):
        layer = FeaturePyramidAttention("slim", name="attention")
        layer.build((None, size, size, 16))
        shapes.append([(v.path, v.shape) for v in layer.weights])
    assert shapes[0] == shapes[1] == shapes[2]


def test_bfloat16_follows_float32():
    x = maps(4, 8, 8, 16)
    for variant in ("paper", "slim"):
        reference = FeaturePyramidAttention(variant)
        reduced = FeaturePyramidAttention(variant, dtype="mixed_bfloat16")
        reference.build(x.shape)
        reduced.build(x.shape)
        reduced.set_weights(reference.get_weights())
        y = reduced(x)
        assert y.dtype == tf.bfloat16
        expected = reference(x).numpy()
        np.testing.assert_allclose(tf.cast(y, tf.float32), expected, atol=0.05 * np.abs(expected).max())


def test_slim_pyramid_lives_through_training():
    """On 4 x 4 maps the usual one-channel pyramid ends with moving variances of 1e-15."""
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 2
    x = rng.normal(size=(64, 4, 4, 16)).astype("float32")
    x[labels == 1, 0, 0, :8] += 2
    keras.utils.set_random_seed(0)
    layer = FeaturePyramidAttention("slim", channels=8)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    losses = model.fit(x, labels[:, None], batch_size=16, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    for path, variance in moving_variances(layer).items():
        assert (variance > 1e-6).mean() >= 0.75, path
        assert variance.max() < 200, path
    y = tf.stack([layer(x[:32]), layer(x[32:])])
    assert np.std(y) > 1e-3


def test_paper_pyramid_gets_gradients_everywhere():
    layer = FeaturePyramidAttention("paper")
    layer.build((8, 8, 8, 32))
    of_variables, _ = gradients(layer, maps(8, 8, 8, 32), lambda y: tf.reduce_mean(tf.square(y)), training=True)
    for variable, gradient in zip(layer.trainable_variables, of_variables, strict=True):
        assert np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("kwargs", [{"variant": "wide"}, {"levels": 0}, {"levels": 4}])
def test_refuses_bad_arguments(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        FeaturePyramidAttention(**kwargs)


def test_refuses_a_map_of_unknown_size():
    with pytest.raises(ValueError, match="must be known"):
        FeaturePyramidAttention()(keras.Input((None, None, 8)))


@pytest.mark.parametrize("variant", ["paper", "slim"])
def test_frozen_from_the_start_moves_no_statistics(variant):
    layer = FeaturePyramidAttention(variant, levels=2, trainable=False)
    images = np.random.default_rng(0).normal(3, 2, size=(2, 8, 8, 8)).astype(np.float32)
    layer.build(images.shape)
    before = [variable.numpy() for variable in layer.weights]
    layer(images, training=True)
    assert all(np.array_equal(old, new) for old, new in zip(before, layer.weights, strict=True))
    assert not layer.trainable_weights
