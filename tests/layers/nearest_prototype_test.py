import itertools

import keras
import numpy as np
import pytest

from ctcov_tf.layers import NearestPrototype

COUNTS = (2, 1, 3)
FEATURES = 5


def filled(counts, outputs):
    rng = np.random.default_rng(0)
    layer = NearestPrototype(counts, outputs)
    layer.build((None, FEATURES))
    prototypes = rng.normal(size=(sum(counts), FEATURES))
    prototypes *= rng.uniform(0.5, 1, (sum(counts), 1)) / np.linalg.norm(prototypes, axis=1, keepdims=True)
    layer.set_weights([rng.normal(size=FEATURES), rng.uniform(0.5, 2, FEATURES), prototypes])
    return layer


def distances(layer, features):
    """Squared distance of each row to the nearest prototype of each class, written out."""
    mean, scale, prototypes = layer.get_weights()
    found = []
    for row in features:
        point = (row - mean) * scale
        point /= np.linalg.norm(point)
        each = [np.sum((point - prototype) ** 2) for prototype in prototypes]
        edges = np.cumsum([0, *layer.counts])
        found.append([min(each[start:end]) for start, end in itertools.pairwise(edges)])
    return np.array(found)


ROWS = np.random.default_rng(1).normal(size=(7, FEATURES)).astype("float32")


def test_logits_are_negative_squared_distances():
    layer = filled(COUNTS, 3)
    np.testing.assert_allclose(layer(ROWS), -distances(layer, ROWS), rtol=1e-4, atol=1e-5)


def test_one_logit_contrasts_two_classes():
    layer = filled((2, 3), 1)
    first, second = distances(layer, ROWS).T
    np.testing.assert_allclose(layer(ROWS)[:, 0], first - second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("counts", "outputs"), [((2, 3), 1), ((2, 3), 2), (COUNTS, 3)])
def test_round_trip(counts, outputs, tmp_path):
    features = keras.Input((FEATURES,))
    layer = NearestPrototype(counts, outputs)
    model = keras.Model(features, layer(features))
    layer.set_weights(filled(counts, outputs).get_weights())
    assert model.output_shape == (None, outputs)
    assert model.trainable_weights == []
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(ROWS), model(ROWS))


def test_features_that_are_all_zero_give_numbers():
    layer = filled((1, 1), 1)
    assert np.isfinite(layer(layer.get_weights()[0][np.newaxis])).all()
