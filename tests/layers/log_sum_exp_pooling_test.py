import keras
import numpy as np
import pytest
from scipy import special
import tensorflow as tf

from ctcov_tf.layers import LogSumExpPooling

MAPS = np.random.default_rng(0).normal(scale=3, size=(2, 4, 5, 3)).astype("float32")


@pytest.mark.parametrize("sharpness", [0.5, 5.0])
def test_equals_its_formula(sharpness):
    expected = special.logsumexp(sharpness * MAPS.astype(float), axis=(1, 2), b=1 / 20) / sharpness
    np.testing.assert_allclose(LogSumExpPooling(sharpness)(MAPS), expected, rtol=1e-5, atol=1e-5)


def test_lies_between_mean_and_maximum():
    pooled = LogSumExpPooling()(MAPS).numpy()
    assert (pooled > MAPS.mean(axis=(1, 2))).all()
    assert (pooled < MAPS.max(axis=(1, 2))).all()


def test_every_position_has_a_gradient_and_they_add_up_to_one():
    maps = tf.constant(MAPS)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        pooled = LogSumExpPooling(1.0)(maps)
    gradient = tape.gradient(pooled, maps).numpy()
    assert (gradient > 0).all()
    np.testing.assert_allclose(gradient.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_large_logits_do_not_overflow():
    assert np.isfinite(LogSumExpPooling()(1e4 * MAPS)).all()


def test_configuration_survives():
    layer = LogSumExpPooling(2.0, name="logits")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.sharpness, again.name, again.compute_dtype) == (2.0, "logits", "float32")
