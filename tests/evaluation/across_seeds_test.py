import dataclasses

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk
from statsmodels.stats import contingency_tables, multitest

from ctcov_tf import errors
from ctcov_tf.evaluation import across_seeds
from ctcov_tf.evaluation.across_seeds import Scores
from ctcov_tf.statistics import delong

IMAGES, SEEDS = 120, 3


def made_up(strength: float, seed: int) -> Scores:
    """A method whose probabilities lean to the truth by `strength`."""
    truth = np.random.default_rng(0).random(IMAGES) < 0.45
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=IMAGES) + 0.5 * rng.normal(size=(SEEDS, IMAGES))
    return Scores(
        image_ids=np.array([f"image{index}" for index in range(IMAGES)]),
        target=truth.astype(int),
        groups=np.array([f"patient{index // 3}" for index in range(IMAGES)]),
        probabilities=1 / (1 + np.exp(-strength * (2 * truth - 1) - noise)),
        thresholds=np.array([0.4, 0.5, 0.6]),
        mean_threshold=0.5,
    )


@pytest.fixture(scope="module")
def methods():
    return {"ours": made_up(1.0, 1), "good": made_up(2.5, 2), "poor": made_up(0.1, 3), "same": made_up(1.0, 4)}


@pytest.fixture(scope="module")
def found(methods):
    return across_seeds.summarise(methods, "ours", replicates=400)


def test_means_and_deviations_are_those_of_scikit_learn(methods, found):
    for name, scores in methods.items():
        aucs = [sk.roc_auc_score(scores.target, row) for row in scores.probabilities]
        decisions = [row >= cut for row, cut in zip(scores.probabilities, scores.thresholds, strict=True)]
        recalls = [sk.recall_score(scores.target, decision) for decision in decisions]
        for metric, values in (("auc", aucs), ("recall", recalls)):
            one = found[name]["metrics"][metric]
            assert one["value"] == pytest.approx(np.mean(values))
            assert one["sd"] == pytest.approx(np.std(values, ddof=1))
            assert one["by_seed"] == pytest.approx(values)


def test_the_interval_is_that_of_the_mean_over_seeds(methods, found):
    scores = methods["ours"]
    rng = np.random.default_rng(9)
    patients = np.unique(scores.groups)
    rows_of = {patient: np.flatnonzero(scores.groups == patient) for patient in patients}
    means = []
    for _ in range(400):
        rows = np.concatenate([rows_of[patient] for patient in rng.choice(patients, len(patients))])
        means.append(np.mean([sk.roc_auc_score(scores.target[rows], row[rows]) for row in scores.probabilities]))
    auc = found["ours"]["metrics"]["auc"]
    assert (auc["low"], auc["high"]) == pytest.approx(np.percentile(means, (2.5, 97.5)), abs=0.02)
    assert auc["low"] < auc["value"] < auc["high"]


def test_tests_are_those_of_the_averaged_probabilities(methods, found):
    ours = methods["ours"]
    right = ours.mean >= ours.mean_threshold
    for name in ("good", "poor", "same"):
        other = methods[name]
        expected = delong.compare(ours.target, other.mean, ours.mean)
        assert found[name]["tests"]["delong"]["p_value"] == expected.p_value
        assert found[name]["averaged"]["auc"] == pytest.approx(sk.roc_auc_score(ours.target, other.mean))
        theirs = (other.mean >= other.mean_threshold) == ours.target
        table = [[np.sum(theirs & (right == ours.target)), np.sum(theirs & (right != ours.target))]]
        table.append([np.sum(~theirs & (right == ours.target)), np.sum(~theirs & (right != ours.target))])
        exact = contingency_tables.mcnemar(table, exact=True)
        assert found[name]["tests"]["mcnemar"]["p_value"] == pytest.approx(exact.pvalue)


def test_holm_corrects_over_the_methods_compared(found):
    for test in ("delong", "mcnemar"):
        names = ("good", "poor", "same")
        raw = [found[name]["tests"][test]["p_value"] for name in names]
        expected = multitest.multipletests(raw, method="holm")[1]
        assert [found[name]["tests"][test]["p_value_holm"] for name in names] == pytest.approx(expected)
    assert found["ours"]["tests"] is None
    assert found["ours"]["auc_difference"] is None


def test_the_difference_is_paired(methods, found):
    better, worse = found["good"]["auc_difference"], found["poor"]["auc_difference"]
    assert better["value"] == pytest.approx(
        found["good"]["metrics"]["auc"]["value"] - found["ours"]["metrics"]["auc"]["value"]
    )
    assert 0 < better["low"] < better["value"] < better["high"]
    assert worse["low"] < worse["value"] < worse["high"] < 0
    alike = across_seeds.summarise({"ours": methods["ours"], "copy": methods["ours"]}, "ours", replicates=50)["copy"]
    assert alike["auc_difference"]["value"] == 0.0
    assert alike["tests"]["delong"]["p_value_holm"] == 1.0


def test_the_difference_of_one_seed_each_is_that_of_the_same_replicates(methods):
    one = dataclasses.replace(
        methods["ours"], probabilities=methods["ours"].probabilities[:1], thresholds=methods["ours"].thresholds[:1]
    )
    alike = across_seeds.summarise({"ours": one, "copy": one}, "ours", replicates=50)["copy"]
    assert alike["auc_difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_seeds_that_differ_widen_the_interval_of_the_difference(methods):
    """Two methods that are alike but for their seeds can't be told apart by which seed was drawn."""
    ours = methods["ours"]
    spread = 1 / (1 + np.exp(-np.array([[0.0], [2.0], [6.0]]) * (2 * ours.target - 1) - ours.probabilities[0]))
    steady, lucky = (dataclasses.replace(ours, probabilities=rows) for rows in (np.repeat(spread[1:2], 3, 0), spread))
    wide, narrow = (
        across_seeds.summarise({"ours": steady, "other": other}, "ours", replicates=300)["other"]["auc_difference"]
        for other in (lucky, dataclasses.replace(steady, thresholds=steady.thresholds[::-1]))
    )
    assert (narrow["low"], narrow["high"]) == (0.0, 0.0)
    assert wide["low"] < wide["value"] < 0
    assert wide["high"] >= 0


def test_one_seed_has_no_deviation(methods):
    one = dataclasses.replace(
        methods["ours"], probabilities=methods["ours"].probabilities[:1], thresholds=methods["ours"].thresholds[:1]
    )
    auc = across_seeds.summarise({"ours": one}, "ours", replicates=50)["ours"]["metrics"]["auc"]
    assert auc["sd"] is None
    assert auc["value"] == sk.roc_auc_score(one.target, one.probabilities[0])


def test_a_metric_that_a_seed_does_not_define_is_left_out_of_the_mean(methods):
    scores = dataclasses.replace(methods["ours"], thresholds=np.array([0.5, 0.5, 1.1]))
    precision = across_seeds.summarise({"ours": scores}, "ours", replicates=50)["ours"]["metrics"]["precision"]
    assert precision["by_seed"][2] is None
    assert precision["value"] == pytest.approx(np.mean(precision["by_seed"][:2]))
    assert precision["low"] <= precision["value"] <= precision["high"]


def test_other_images_are_refused(methods):
    moved = dataclasses.replace(methods["good"], image_ids=methods["good"].image_ids[::-1])
    with pytest.raises(errors.CtcovError, match="good: was judged on other images than ours"):
        across_seeds.summarise({"ours": methods["ours"], "good": moved}, "ours", replicates=10)


def test_more_seeds_are_no_more_patients():
    """Seeds that agree leave the interval as wide as one seed's."""
    one = made_up(1.0, 1)
    alike = dataclasses.replace(
        one, probabilities=np.repeat(one.probabilities[:1], SEEDS, 0), thresholds=np.full(3, 0.5)
    )
    single = dataclasses.replace(alike, probabilities=alike.probabilities[:1], thresholds=alike.thresholds[:1])
    many, few = (
        across_seeds.summarise({"ours": scores}, "ours", replicates=200)["ours"]["metrics"]["auc"]
        for scores in (alike, single)
    )
    assert (many["low"], many["high"]) == pytest.approx((few["low"], few["high"]))
    assert many["sd"] == pytest.approx(0, abs=1e-12)
    assert stats.iqr(one.probabilities) > 0
