import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from ctcov_tf.statistics import bootstrap, metrics


def scores(seed, images=80, groups=25, decimals=1):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, images)
    probabilities = np.round(np.clip(generator.normal(0.4 + 0.15 * labels, 0.25), 0, 1), decimals)
    return labels, probabilities, generator.integers(0, groups, images).astype(str)


@pytest.mark.parametrize("decimals", [1, 6], ids=["ties", "no ties"])
@pytest.mark.parametrize("seed", range(3))
def test_weighted_metrics_equal_scikit_learn(seed, decimals):
    labels, probabilities, groups = scores(seed, decimals=decimals)
    weights = bootstrap.replicate_weights(groups, replicates=8, seed=seed)
    found = bootstrap.weighted_metrics(labels, probabilities, 0.5, weights)
    decision = probabilities >= 0.5
    for row, weight in enumerate(weights):
        expected = {
            "precision": sk.precision_score(labels, decision, sample_weight=weight),
            "recall": sk.recall_score(labels, decision, sample_weight=weight),
            "specificity": sk.recall_score(labels, decision, pos_label=0, sample_weight=weight),
            "f1": sk.f1_score(labels, decision, sample_weight=weight),
            "accuracy": sk.accuracy_score(labels, decision, sample_weight=weight),
            "auc": sk.roc_auc_score(labels, probabilities, sample_weight=weight),
            "average_precision": sk.average_precision_score(labels, probabilities, sample_weight=weight),
        }
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected)


def test_weights_of_one_give_the_point_metrics():
    labels, probabilities, _ = scores(5)
    found = bootstrap.weighted_metrics(labels, probabilities, 0.4, np.ones((1, len(labels))))
    expected = metrics.binary_metrics(labels, probabilities, 0.4)
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected)


def test_batches_do_not_change_values(monkeypatch):
    labels, probabilities, groups = scores(2)
    weights = bootstrap.replicate_weights(groups, replicates=50)
    whole = bootstrap.weighted_metrics(labels, probabilities, 0.5, weights)
    monkeypatch.setattr(bootstrap, "BATCH_CELLS", 7 * len(labels))
    parts = bootstrap.weighted_metrics(labels, probabilities, 0.5, weights)
    for name in metrics.NAMES:
        np.testing.assert_array_equal(whole[name], parts[name])


def test_replicates_draw_whole_groups():
    groups = np.array(["a", "b", "a", "c", "b"])
    weights = bootstrap.replicate_weights(groups, replicates=100, seed=1)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    np.testing.assert_array_equal(weights[:, 0] + weights[:, 1] + weights[:, 3], 3)


def test_seed_decides():
    labels, probabilities, groups = scores(0)
    first, again, other = (
        bootstrap.bootstrap(labels, probabilities, groups, 0.5, replicates=200, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.intervals != other.intervals


def test_groups_of_alike_images_widen_the_interval():
    labels, probabilities, _ = scores(3, images=60, decimals=6)
    alone = bootstrap.bootstrap(labels, probabilities, np.arange(60).astype(str), 0.5)
    copies = [np.repeat(values, 5) for values in (labels, probabilities)]
    as_images = bootstrap.bootstrap(*copies, np.arange(300).astype(str), 0.5)
    as_groups = bootstrap.bootstrap(*copies, np.repeat(np.arange(60), 5).astype(str), 0.5)

    def width(found):
        low, high = found.intervals["auc"]
        return high - low

    assert width(as_groups) == pytest.approx(width(alone))
    assert width(as_images) < 0.7 * width(as_groups)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    truth = 0.7602499389065233  # Phi(1 / sqrt 2): AUC of two unit normals one apart
    covered = 0
    for trial in range(120):
        labels = generator.integers(0, 2, 100)
        probabilities = generator.normal(labels, 1)
        found = bootstrap.bootstrap(labels, probabilities, np.arange(100).astype(str), 0.5, replicates=300, seed=trial)
        low, high = found.intervals["auc"]
        covered += low <= truth <= high
    assert 0.87 <= covered / 120 <= 0.99


def test_intervals_are_those_of_a_second_library():
    """SciPy's percentile bootstrap over the same groups, whose images go together: equal but for the drawing."""
    labels, probabilities, groups = scores(7, images=150, groups=50, decimals=6)
    members = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    found = bootstrap.bootstrap(labels, probabilities, groups, 0.5, replicates=4000)

    def drawn(metric):
        def statistic(picked):
            rows = np.concatenate([members[int(number)] for number in picked])
            return metric(labels[rows], probabilities[rows])

        sample = (np.arange(len(members)),)
        return stats.bootstrap(sample, statistic, n_resamples=2000, vectorized=False, method="percentile", rng=0)

    for name, metric in (
        ("auc", sk.roc_auc_score),
        ("recall", lambda truth, scores: np.mean(scores[truth == 1] >= 0.5)),
    ):
        peer = drawn(metric).confidence_interval
        assert found.intervals[name] == pytest.approx((peer.low, peer.high), abs=0.015), name


def test_one_class_replicates_are_counted_and_left_out():
    labels = np.array([1, 0, 0, 0])
    found = bootstrap.bootstrap(labels, [0.9, 0.8, 0.2, 0.1], list("abcd"), 0.5, replicates=1000)
    # (3/4)^4 of replicates draw no positive; (1/4)^4 nothing else
    assert found.one_class_replicates / 1000 == pytest.approx(0.32, abs=0.05)
    assert found.intervals["auc"] is not None


@pytest.mark.parametrize(("labels", "groups"), [([], []), ([1, 0], ["a", "a"])])
def test_fewer_than_two_groups_have_no_interval(labels, groups):
    found = bootstrap.bootstrap(labels, [0.1, 0.2][: len(labels)], groups, 0.5, replicates=20)
    assert set(found.intervals.values()) == {None}


def test_one_class_only_has_an_interval_where_defined():
    found = bootstrap.bootstrap([1, 1, 1], [0.1, 0.6, 0.8], list("abc"), 0.5, replicates=50)
    assert found.intervals["auc"] is None
    assert found.intervals["recall"] is not None
    assert found.one_class_replicates == 50


def test_auc_difference():
    labels, probabilities, groups = scores(4, images=200, groups=100, decimals=6)
    assert bootstrap.auc_difference(labels, probabilities, probabilities, groups) == (0, 0)
    low, high = bootstrap.auc_difference(labels, labels + 0.0, probabilities, groups)
    point = 1 - sk.roc_auc_score(labels, probabilities)
    assert 0 < low < point < high


def test_roc_band_holds_the_curve():
    labels, probabilities, groups = scores(1, images=200, groups=100, decimals=6)
    grid = np.linspace(0, 1, 21)
    low, high = bootstrap.roc_band(labels, probabilities, groups, grid, replicates=200)
    curve = np.interp(grid, *sk.roc_curve(labels, probabilities)[:2])
    inside = (low <= curve + 0.02) & (curve - 0.02 <= high)
    assert inside.all()
    assert (high - low)[10] > 0.02


def test_roc_band_of_one_class_is_none():
    assert bootstrap.roc_band([1, 1], [0.1, 0.2], ["a", "b"], np.linspace(0, 1, 3)) is None
    assert bootstrap.roc_band([], [], [], np.linspace(0, 1, 3)) is None
