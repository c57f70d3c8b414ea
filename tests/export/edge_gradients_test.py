import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.export import edge_gradients


def weights(*shape):
    """The same for each shape."""
    return tf.constant(np.random.default_rng(1).normal(size=shape).astype(np.float32))


def pooled(x):
    return tf.reduce_mean(x, axis=(1, 2)) @ weights(4, 3)


def flattened(x):
    return tf.reshape(x, (2, 100)) @ weights(100, 3)


def convolved(x, kernel, strides=1, padding="SAME"):
    return tf.nn.conv2d(x, kernel, strides, padding)


KNOWN = {
    "pooled": pooled,
    "flattened": flattened,
    "read twice": lambda x: pooled(x) * 2.0 + flattened(x * x) * flattened(x),
    "rectified": lambda x: flattened(tf.nn.relu(tf.nn.bias_add(x, weights(4)))),
    "pointwise": lambda x: flattened(convolved(x, weights(1, 1, 4, 4))),
    "convolved": lambda x: pooled(convolved(x, weights(3, 3, 4, 4))),
    "strided": lambda x: pooled(convolved(x, weights(3, 3, 4, 4), 2, "VALID")),
    "of one pixel, strided": lambda x: pooled(convolved(x, weights(1, 1, 4, 4), 2)),
    "scaled": lambda x: flattened(tf.nn.depthwise_conv2d(x, weights(1, 1, 4, 1), [1, 1, 1, 1], "SAME")),
    "max pooled": lambda x: pooled(tf.nn.max_pool2d(x, 2, 2, "SAME") * weights(2, 3, 3, 4)),
    "resized": lambda x: pooled(tf.image.resize(x, (9, 7)) * weights(2, 9, 7, 4)),
    "concatenated": lambda x: tf.concat([weights(2, 2), pooled(x), flattened(x)], axis=-1) @ weights(8, 3),
    "repeated": lambda x: flattened(x + tf.reduce_mean(x, axis=(1, 2), keepdims=True) * x),
}


def ours(function):
    @tf.function
    def pass_back(x):
        features = tf.identity(x)
        found = edge_gradients.mean_gradient(function(features), features, tf.constant([0, 2]))
        return () if found is None else found

    return pass_back(weights(2, 5, 5, 4))


@pytest.mark.parametrize("name", KNOWN)
def test_equals_the_gradient_of_tensorflow(name):
    features = weights(2, 5, 5, 4)
    with tf.GradientTape() as tape:
        tape.watch(features)
        chosen = tf.gather(KNOWN[name](features), [0, 2], batch_dims=1)
    expected = tf.reduce_mean(tape.gradient(chosen, features), axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(ours(KNOWN[name]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.reduce_max(x, axis=(1, 2)) @ weights(4, 3),
        lambda x: pooled(tf.nn.max_pool2d(x, 3, 2, "SAME")),
        lambda x: pooled(tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 1), [1, 1, 1, 1], "SAME")),
        lambda x: pooled(tf.nn.conv2d_transpose(x, weights(3, 3, 4, 4), (2, 10, 10, 4), 2)),
        lambda x: pooled(convolved(x, weights(3, 3, 4, 4)) ** 2.0),
    ],
    ids=["global maximum", "overlapping maxima", "depthwise", "transposed", "power"],
)
def test_an_operation_without_gradient_here_has_none(function):
    assert ours(function) == ()
