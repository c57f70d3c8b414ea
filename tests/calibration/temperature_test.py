from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import optimize
import tensorflow as tf

from ctcov_tf.calibration import temperature
from ctcov_tf.model_info import Labels
from ctcov_tf.models import scores

CLASSES = ("normal", "other_pneumonia", "covid19")


def simulated(outputs, exclusive, true_temperature, images=20_000, seed=0):
    """Logits that are `true_temperature` times too large, and targets drawn from what they should be."""
    generator = np.random.default_rng(seed)
    honest = generator.normal(size=(images, outputs)) * 1.5
    found = temperature.probabilities(honest, exclusive=exclusive)
    if exclusive:
        targets = np.eye(outputs)[[generator.choice(outputs, p=row) for row in found]]
    else:
        targets = (generator.uniform(size=found.shape) < found).astype(float)
    return honest * true_temperature, targets


@pytest.mark.parametrize(("outputs", "exclusive"), [(1, False), (6, False), (2, True), (3, True)])
@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_known_miscalibration_is_recovered(outputs, exclusive, true_temperature):
    logits, targets = simulated(outputs, exclusive, true_temperature)
    assert temperature.fit(logits, targets, exclusive=exclusive) == pytest.approx(true_temperature, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(1, False), (4, False), (3, True)]), st.floats(0.3, 5))
def test_no_other_temperature_is_likelier(seed, head, factor):
    """The root of the slope is where scipy's minimisation of the likelihood itself ends."""
    outputs, exclusive = head
    logits, targets = simulated(outputs, exclusive, factor, images=200, seed=seed)
    if not exclusive:
        targets[np.random.default_rng(seed).uniform(size=targets.shape) < 0.3] = -1
    found = temperature.fit(logits, targets, exclusive=exclusive)

    def loss(log_temperature):
        return temperature.negative_log_likelihood(
            logits, targets, exclusive=exclusive, temperature=np.exp(log_temperature)
        )

    peer = optimize.minimize_scalar(loss, bounds=(np.log(0.02), np.log(50)), method="bounded", options={"xatol": 1e-8})
    if found == 1:
        assert abs(peer.x) > 3.5 or abs(peer.x) < 1e-3
    else:
        assert found == pytest.approx(np.exp(peer.x), rel=1e-3)
        assert loss(np.log(found)) <= loss(0.0) + 1e-12


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        (np.zeros((0, 1)), np.zeros((0, 1))),
        ([[1.0], [-2.0]], [[1.0], [1.0]]),
        ([[1.0], [2.0]], [[-1.0], [-1.0]]),
        ([[2.0], [1.0], [-1.0]], [[1.0], [1.0], [0.0]]),  # separated: the likelihood rises without end
        ([[2.0], [-2.0]], [[0.0], [1.0]]),  # worse than chance
    ],
    ids=["no images", "one class", "unknown", "separated", "reversed"],
)
def test_what_determines_no_temperature_leaves_it_at_one(logits, targets):
    assert temperature.fit(logits, targets, exclusive=False) == 1


def test_what_is_unknown_plays_no_part():
    logits, targets = simulated(3, False, 2.0, images=500)
    more = np.vstack([logits, 100 * np.ones((50, 3))]), np.vstack([targets, -np.ones((50, 3))])
    assert temperature.fit(*more, exclusive=False) == temperature.fit(logits, targets, exclusive=False)


@pytest.mark.parametrize("head", ["binary", "three_class", "findings"])
def test_probabilities_are_those_of_the_graph(head):
    labels = Labels(CLASSES, "covid19", head)
    logits = np.random.default_rng(0).normal(size=(20, len(labels.outputs))).astype(np.float32) * 4
    ours = temperature.probabilities(logits, exclusive=labels.exclusive, temperature=1.7)
    np.testing.assert_allclose(ours, scores.probabilities(tf.constant(logits) / 1.7, labels), atol=1e-6)
