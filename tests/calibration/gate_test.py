import numpy as np
import pytest
from scipy.spatial import distance
from sklearn.covariance import LedoitWolf

from ctcov_tf.calibration import gate
from ctcov_tf.models.input_gate import Gate, Measure


@pytest.fixture(scope="module")
def parts():
    """Two spaces of correlated coordinates: images to fit to, to choose the limit on, and new ones."""
    generator = np.random.default_rng(0)
    mixing = {"texture": generator.normal(size=(12, 12)), "layout": generator.normal(size=(6, 6))}

    def draw(images):
        return {name: generator.normal(size=(images, len(mix))) @ mix + 3 for name, mix in mixing.items()}

    return draw(400), draw(300), draw(4000)


def test_the_stated_share_of_validation_images_passes(parts):
    train, validation, new = parts
    fitted = gate.fit(train, validation)
    assert np.mean(gate.scores(fitted, validation) <= 1) == pytest.approx(0.95)
    assert np.mean(gate.scores(fitted, new) <= 1) == pytest.approx(0.95, abs=0.025)
    assert np.abs(gate.scores(fitted, validation) - 1).min() > 1e-4, "no image sits on the limit"
    lower = gate.fit(train, validation, level=0.8)
    assert np.mean(gate.scores(lower, validation) <= 1) == pytest.approx(0.8)


def test_distances_are_mahalanobis_distances_of_the_shrunk_gaussian(parts):
    train, validation, _ = parts
    fitted = gate.fit(train, validation)
    for name, measure in fitted.measures.items():
        found = gate.distances(measure, validation[name])
        peer = LedoitWolf().fit(train[name])
        expected = [distance.mahalanobis(one, peer.location_, peer.precision_) for one in validation[name]]
        ratio = found / expected
        assert ratio.std() / ratio.mean() < 1e-3, name  # scaled to the limit


def test_each_space_refuses_what_only_it_can_see(parts):
    train, validation, _ = parts
    fitted = gate.fit(train, validation)
    for name in train:
        strange = {other: values.copy() for other, values in validation.items()}
        strange[name] += 30
        assert (gate.scores(fitted, strange) > 1).all()


def test_all_images_pass_where_there_are_few():
    generator = np.random.default_rng(0)
    train, validation = ({"layout": generator.normal(size=(images, 40))} for images in (20, 10))
    fitted = gate.fit(train, validation)
    assert gate.scores(fitted, validation).max() == pytest.approx(1 / gate.MARGIN, rel=1e-5)
    assert fitted.measures["layout"].whitening.shape[1] <= 19


@pytest.mark.parametrize("images", [(0, 10), (10, 0), (1, 10)])
def test_without_images_there_is_no_gate(images):
    train, validation = ({"layout": np.ones((count, 3))} for count in images)
    assert gate.fit(train, validation) is None


def test_scores_are_the_largest_distance():
    measures = {
        "a": Measure(np.zeros(2, np.float32), np.eye(2, dtype=np.float32)),
        "b": Measure(np.ones(1, np.float32), np.full((1, 1), 2, np.float32)),
    }
    found = gate.scores(Gate(measures), {"a": [[3, 4], [0, 0]], "b": [[1], [4]]})
    np.testing.assert_allclose(found, [5, 6])
