from hypothesis import example, given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from sklearn import calibration as sk_calibration
from sklearn import metrics as sk

from ctcov_tf.statistics import bootstrap, calibration

STRATEGIES = {"equal_mass": "quantile", "equal_width": "uniform"}
seeds, sizes, digits = st.integers(0, 2**32 - 1), st.integers(1, 120), st.integers(1, 6)


def draw(seed, images, decimals=6):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 2, images), np.round(generator.random(images), decimals)


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(deadline=None, max_examples=30)
@given(seeds, sizes, digits)
@example(seed=0, images=91, decimals=2)
def test_reliability_equals_scikit_learn(strategy, seed, images, decimals):
    labels, probabilities = draw(seed, images, decimals)
    found = calibration.reliability(labels, probabilities, strategy)
    positives, probability = sk_calibration.calibration_curve(
        labels, probabilities, n_bins=calibration.BINS, strategy=STRATEGIES[strategy]
    )
    assert found.positives == pytest.approx(positives)
    assert found.probability == pytest.approx(probability)
    assert found.images.sum() == images
    assert np.all((found.low <= found.probability + 1e-12) & (found.probability <= found.high + 1e-12))
    error = calibration.calibration_error(labels, probabilities, strategy)
    assert error == pytest.approx([np.sum(found.images * np.abs(found.probability - found.positives)) / images])


def test_equal_mass_holds_as_many_images_in_each():
    labels, probabilities = draw(0, 1000)
    images = calibration.reliability(labels, probabilities**3, "equal_mass").images
    assert images.tolist() == [100] * 10


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_weighted_image_counts_as_often_as_it_says(strategy):
    labels, probabilities = draw(1, 50)
    weights = np.random.default_rng(2).integers(0, 4, (6, 50))
    found = calibration.calibration_error(labels, probabilities, strategy, weights)
    edges = calibration.bin_edges(probabilities, strategy)
    for row, weight in zip(found, weights, strict=True):
        y, p = np.repeat(labels, weight), np.repeat(probabilities, weight)
        bins = np.searchsorted(edges[1:-1], p)
        gaps = [abs(np.sum((p - y)[bins == one])) for one in range(calibration.BINS)]
        assert row == pytest.approx(np.sum(gaps) / len(y))
    assert calibration.calibration_error(labels, probabilities, strategy, np.ones((1, 50))) == pytest.approx(
        calibration.calibration_error(labels, probabilities, strategy)
    )


def test_error_of_certain_and_of_constant_probabilities():
    labels = np.array([0, 1, 0, 1])
    assert calibration.calibration_error(labels, labels.astype(float), "equal_width") == [0]
    assert calibration.calibration_error(labels, 1.0 - labels, "equal_width") == [1]
    assert calibration.calibration_error(labels, np.full(4, 0.8), "equal_mass") == pytest.approx([0.3])


def test_a_calibrated_classifier_shows_the_error_that_it_should():
    generator = np.random.default_rng(0)
    probabilities = generator.random(300)
    groups = np.arange(300)
    labels = (generator.random((200, 300)) < probabilities).astype(int)
    errors = calibration.calibration_error(labels, probabilities, "equal_mass")
    expected = calibration.calibration_error_if_calibrated(probabilities, groups, "equal_mass", replicates=500, seed=1)
    assert expected.mean() == pytest.approx(errors.mean(), rel=0.05)
    assert np.mean(errors > np.quantile(expected, 0.95)) == pytest.approx(0.05, abs=0.04)
    sharper = np.clip(1.6 * (probabilities - 0.5) + 0.5, 0, 1)
    assert calibration.calibration_error(labels, sharper, "equal_mass").mean() > np.quantile(expected, 0.99)


def test_images_of_one_group_go_together():
    probabilities = np.full(100, 0.5)
    alone, together = (
        calibration.calibration_error_if_calibrated(probabilities, groups, "equal_mass", replicates=400, seed=0)
        for groups in (np.arange(100), np.zeros(100))
    )
    assert set(together) == {0.5}
    assert alone.mean() < 0.06


@given(seeds, sizes)
def test_brier_score_equals_scikit_learn(seed, images):
    labels, probabilities = draw(seed, images)
    weights = np.random.default_rng(seed).integers(1, 4, (2, images))
    expected = [sk.brier_score_loss(labels, probabilities, sample_weight=weight, labels=[0, 1]) for weight in weights]
    assert calibration.brier_score(labels, probabilities, weights) == pytest.approx(expected)
    assert calibration.brier_score(labels, probabilities) == pytest.approx(
        [sk.brier_score_loss(labels, probabilities, labels=[0, 1])]
    )


@given(seeds, sizes, st.floats(0, 0.99))
def test_net_benefit_is_its_definition(seed, images, threshold):
    labels, probabilities = draw(seed, images)
    decision = probabilities >= threshold
    true, false = np.sum(decision & (labels == 1)), np.sum(decision & (labels == 0))
    expected = true / images - false / images * threshold / (1 - threshold)
    assert calibration.net_benefit(labels, probabilities, [threshold])[0] == pytest.approx([expected])


def test_net_benefit_of_all_none_and_an_oracle():
    labels = np.array([1, 0, 0, 0])
    thresholds = [0.0, 0.25, 0.5]
    assert calibration.net_benefit(labels, np.ones(4), thresholds)[0] == pytest.approx([0.25, 0, -0.5])
    assert calibration.net_benefit(labels, np.zeros(4), thresholds[1:])[0] == pytest.approx([0, 0])
    assert calibration.net_benefit(labels, labels, thresholds[1:])[0] == pytest.approx([0.25, 0.25])
    weights = np.array([[1, 1, 1, 1], [3, 1, 0, 0]])
    assert calibration.net_benefit(labels, np.ones(4), [0.5], weights)[:, 0] == pytest.approx([-0.5, 0.5])


rates = st.floats(0.01, 0.99)


@given(rates, rates, rates)
def test_predictive_values_follow_from_counts(sensitivity, specificity, prevalence):
    positive, negative = calibration.predictive_values(sensitivity, specificity, prevalence)
    patients = 1e6
    ill, well = patients * prevalence, patients * (1 - prevalence)
    assert positive == pytest.approx(ill * sensitivity / (ill * sensitivity + well * (1 - specificity)))
    assert negative == pytest.approx(well * specificity / (well * specificity + ill * (1 - sensitivity)))


def test_predictive_values_at_the_part_s_own_prevalence_are_those_counted():
    labels, probabilities = draw(3, 200)
    decision = probabilities >= 0.4
    sensitivity, specificity = decision[labels == 1].mean(), (~decision)[labels == 0].mean()
    positive, negative = calibration.predictive_values(sensitivity, specificity, labels.mean())
    assert positive == pytest.approx(sk.precision_score(labels, decision))
    assert negative == pytest.approx(np.mean(labels[~decision] == 0))


def test_predictive_values_of_decisions_never_made_are_undefined():
    positive, negative = calibration.predictive_values(0, 1, [0.1, 0.2])
    assert np.isnan(positive).all()
    assert negative == pytest.approx([0.9, 0.8])


def test_batches_do_not_change_sums(monkeypatch):
    weights = bootstrap.replicate_weights(np.arange(40), replicates=30)
    columns = np.random.default_rng(0).random((40, 3))
    whole = bootstrap.weighted_sums(weights, columns)
    monkeypatch.setattr(bootstrap, "BATCH_CELLS", 100)
    np.testing.assert_allclose(bootstrap.weighted_sums(weights, columns), whole)
    np.testing.assert_allclose(whole, weights.astype(float) @ columns)
