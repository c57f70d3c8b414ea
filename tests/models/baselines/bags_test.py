import keras
import numpy as np
import pytest

from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines import bags, methods

SLICES = 3
ROWS = np.random.default_rng(0).normal(size=(4 * SLICES, 8, 8, 3)).astype("float32")


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(6, 3, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D(name="average_pool")(x)
    return keras.Model(image, keras.layers.Dense(2, name="logits")(x))


def test_covnet_takes_the_maximum_of_the_features():
    model = network()
    form = bags.bag_form(BaselineConfig(method="covnet"), model, SLICES)
    pooled = keras.Model(model.input, model.get_layer("average_pool").output)(ROWS).numpy()
    expected = model.get_layer("logits")(pooled.reshape(4, SLICES, 6).max(axis=1))
    np.testing.assert_allclose(form(ROWS), expected, rtol=1e-6)


def test_hybrid_3d_takes_the_mean_of_the_scores():
    model = network()
    form = bags.bag_form(BaselineConfig(method="hybrid_3d"), model, SLICES)
    np.testing.assert_allclose(form(ROWS), model(ROWS).numpy().reshape(4, SLICES, 2).mean(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", methods.ON_BAGS)
def test_a_bag_of_one_slice_is_the_image(method):
    model = network()
    np.testing.assert_allclose(bags.bag_form(BaselineConfig(method=method), model, 1)(ROWS), model(ROWS), rtol=1e-6)


@pytest.mark.parametrize("method", methods.ON_BAGS)
def test_weights_are_those_of_the_network(method):
    model = network()
    form = bags.bag_form(BaselineConfig(method=method), model, SLICES)
    assert {id(variable) for variable in form.weights} == {id(variable) for variable in model.weights}
