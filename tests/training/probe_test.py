import numpy as np

from ctcov_tf.training import probe


def test_the_probe_finds_a_direction_of_features_whatever_their_scale():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 5)) * [1, 1e4, 1e-4, 1, 1]
    targets = (features[:, 2:3] > 0).astype(np.float32)
    said = probe.probe(features[:60], targets[:60], features[60:])
    assert said.shape == (20, 1)
    assert np.mean((said > 0.5) == targets[60:]) > 0.9


def test_one_class_alone_is_answered_with_its_share():
    features = np.zeros((4, 2))
    np.testing.assert_array_equal(probe.probe(features, np.ones((4, 1)), features[:3]), np.ones((3, 1)))
    np.testing.assert_array_equal(probe.probe(features, np.zeros((4, 1)), features[:3]), np.zeros((3, 1)))
