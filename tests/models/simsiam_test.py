import keras
import numpy as np
import pytest

from ctcov_tf.config import SimSiamConfig, SimSiamEdgeConfig
from ctcov_tf.models import registry, simsiam

HEADS = {"projection": (12, 10), "prediction_units": 4}
NETWORKS = {
    "dense_net": SimSiamConfig(blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8, **HEADS),
    "efficientnet_lite": SimSiamEdgeConfig(repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, **HEADS),
}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return registry.build(NETWORKS["dense_net"], 32, 1)


def views():
    return list(np.random.default_rng(0).normal(size=(2, 6, 32, 32, 3)).astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_branch_ends_as_the_method_says(name):
    model = registry.build(NETWORKS[name], 32, 1)
    assert model.output_shape == (None, 10)
    names = [layer.name for layer in model.layers]
    assert names[names.index(simsiam.FEATURES) + 1 :] == [
        "projector_1",
        "projector_1_bn",
        "projector_1_relu",
        "projector_last",
        "embedding",
        "predictor",
        "predictor_bn",
        "predictor_relu",
        "prediction",
    ]
    assert model.get_layer("predictor").units == 4


def test_both_views_pass_the_same_weights(model):
    trained = simsiam.two_views(model)
    assert {id(variable) for variable in trained.weights} == {id(variable) for variable in model.weights}


def test_the_loss_is_the_mean_of_both_directions(model):
    trained, (view, other) = simsiam.two_views(model), views()
    branch = keras.Model(model.input, [model.get_layer(simsiam.EMBEDDING).output, model.output])
    embedding, prediction = branch(view, training=False)
    other_embedding, other_prediction = branch(other, training=False)

    def cosine(one, two):
        return np.sum(one * two, axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)

    expected = -(cosine(prediction, other_embedding) + cosine(other_prediction, embedding)) / 2
    np.testing.assert_allclose(trained([view, other], training=False), expected, atol=1e-5)


def test_features_are_the_pooled_map(model):
    (view, _) = views()
    pooled = simsiam.features(simsiam.two_views(model))(view, training=False)
    feature_map = keras.Model(model.input, model.get_layer("relu").output)(view, training=False)
    np.testing.assert_allclose(pooled, np.mean(feature_map, axis=(1, 2)), atol=1e-5)


def test_deviation_is_one_where_embeddings_point_everywhere_and_zero_where_they_are_one():
    rng = np.random.default_rng(0)
    lengths = rng.uniform(0.1, 9, (2000, 1))
    assert float(simsiam.embedding_deviation(lengths * rng.normal(size=(2000, 16)))) == pytest.approx(1, abs=0.02)
    assert float(simsiam.embedding_deviation(lengths * rng.normal(size=(1, 16)))) == pytest.approx(0, abs=1e-6)
