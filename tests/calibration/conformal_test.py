from crepes import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from ctcov_tf.calibration import conformal
from ctcov_tf.model_info import Conformal, Labels

CLASSES = ("normal", "other_pneumonia", "covid19")


def simulated(generator, images, shares=(0.6, 0.1, 0.3)):
    """Probabilities that know something of the class, and are not calibrated."""
    truth = generator.choice(len(shares), size=images, p=shares)
    logits = generator.normal(size=(images, len(shares))) + 1.5 * np.eye(len(shares))[truth]
    raised = np.exp(2 * logits)
    return raised / raised.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_each_class_is_covered_as_stated(coverage):
    """Over many draws of 100 images to fit to, on new images: between the stated share and one more part in n + 1."""
    generator = np.random.default_rng(0)
    held, fitted_to = [], []
    for _ in range(300):
        probabilities, truth = simulated(generator, 100, (0.5, 0.2, 0.3))
        quantiles = conformal.fit(1 - probabilities, truth, coverage)
        new, new_truth = simulated(generator, 300, (0.5, 0.2, 0.3))
        members = 1 - new <= quantiles
        covered = members[np.arange(len(new)), new_truth]
        held.append([covered[new_truth == index].mean() for index in range(3)])
        fitted_to.append([np.sum(truth == index) for index in range(3)])
    mean = np.mean(held, axis=0)
    assert (mean >= coverage - 0.01).all()
    assert (mean <= coverage + np.mean(1 / (np.array(fitted_to) + 1), axis=0) + 0.01).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 80), st.sampled_from([0.8, 0.9, 0.95]))
def test_sets_are_those_of_crepes(seed, images, coverage):
    """Mondrian conformal classification by class, without smoothing."""
    generator = np.random.default_rng(seed)
    probabilities, truth = simulated(generator, images)
    new, _ = simulated(generator, 30)
    quantiles = conformal.fit(1 - probabilities, truth, coverage)
    for index in range(3):
        own = (1 - probabilities[truth == index, index]).astype(float)
        ours = 1 - new[:, index] <= quantiles[index]
        if not len(own):
            assert ours.all()
            continue
        peer = ConformalClassifier().fit(own)
        theirs = peer.predict_set((1 - new)[:, [index]], confidence=coverage, smoothing=False)[:, 0].astype(bool)
        # crepes lets in a p-value of exactly 1 - coverage, which makes its sets no smaller
        assert not (ours & ~theirs).any()
        rank = np.sum(own >= (1 - new)[:, [index]], axis=1) + 1
        on_the_edge = np.isclose(rank / (len(own) + 1), 1 - coverage)
        np.testing.assert_array_equal(ours[~on_the_edge], theirs[~on_the_edge])


def test_too_few_images_of_a_class_put_it_in_every_set():
    quantiles = conformal.fit([[0.1, 0.9]] * 9 + [[0.8, 0.2]] * 8, [0] * 9 + [1] * 8, 0.9)
    assert quantiles.tolist() == [0.1, 1.0]


def test_cross_fitting_measures_the_coverage_of_other_groups():
    generator = np.random.default_rng(0)
    probabilities, truth = simulated(generator, 600, (0.4, 0.3, 0.3))
    groups = np.repeat([f"patient{index}" for index in range(300)], 2)
    found = conformal.calibrate(probabilities, truth, groups, CLASSES)
    assert (found.coverage, found.images) == (0.9, {name: int(np.sum(truth == i)) for i, name in enumerate(CLASSES)})
    for name in CLASSES:
        measured = found.cross_fitted[name]
        assert measured["low"] <= measured["value"] <= measured["high"]
        assert measured["value"] == pytest.approx(0.9, abs=0.05)
    assert sum(found.set_sizes.values()) == pytest.approx(1)
    assert len(found.set_sizes) > 1


def test_images_of_one_patient_alike_are_not_fitted_to_each_other():
    """A class whose only patient is left out has no quantile of its own: it is in every set, and always covered."""
    probabilities = np.array([[0.9, 0.1]] * 40 + [[0.99, 0.01]] * 10)
    truth = np.array([0] * 40 + [1] * 10)
    groups = np.array([f"patient{index}" for index in range(40)] + ["the only one"] * 10)
    assert conformal.calibrate(probabilities, truth, groups, ("a", "b")).cross_fitted["b"]["value"] == 1


def test_one_group_measures_nothing():
    found = conformal.calibrate([[0.2, 0.8], [0.6, 0.4]], [1, 0], ["a", "a"], ("no", "yes"))
    assert found.cross_fitted == {name: {"value": None, "low": None, "high": None} for name in ("no", "yes")}
    assert found.set_sizes == {}


@pytest.mark.parametrize(
    ("head", "probabilities", "expected"),
    [
        ("binary", [0.9], ("covid19",)),
        ("binary", [0.5], ("covid19", "not covid19")),
        ("three_class", [0.05, 0.05, 0.9], ("covid19",)),
        ("three_class", [0.45, 0.1, 0.45], ("normal", "covid19")),
        ("three_class", [0.34, 0.33, 0.33], ()),
        ("findings", [0.9, 0.9, 0.05], ("not covid19",)),
    ],
)
def test_sets_name_classes(head, probabilities, expected):
    labels = Labels(CLASSES, "covid19", head)
    quantiles = dict.fromkeys(labels.set_classes, 0.6)
    conformal_sets = Conformal(0.9, quantiles, {}, {}, {})
    assert conformal_sets.prediction_set(probabilities, labels) == expected
