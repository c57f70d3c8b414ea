import time

from hypothesis import given, settings
from hypothesis import strategies as st
from MLstatkit import Delong_test
import numpy as np
import pytest
from sklearn import metrics as sk

from ctcov_tf.statistics import bootstrap, delong

# Ovarian cancer with intestinal obstruction, the example of DeLong, DeLong and Clarke-Pearson (1988): albumin, total
# protein, K-G score (higher is worse), and whether surgery helped.
PATIENTS = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


@pytest.fixture(scope="module")
def patients():
    """Outcome, and albumin, K-G score and total protein, each higher where surgery is likelier to help."""
    albumin, protein, score, helped = np.array(PATIENTS.split(), float).reshape(-1, 4).T
    return helped.astype(int), {"albumin": albumin, "K-G": 10 - score, "protein": protein}


def test_the_published_example(patients):
    """Areas, standard errors and tests that SAS/STAT prints for these patients (PROC LOGISTIC, ROCCONTRAST)."""
    labels, tests = patients
    aucs, covariance = delong.auc_covariance(labels, list(tests.values()))
    assert aucs == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    albumin = delong.compare(labels, tests["albumin"], tests["K-G"])
    assert (albumin.difference, albumin.standard_error) == pytest.approx((0.0108, 0.0953), abs=5e-5)
    assert albumin.interval == pytest.approx((-0.1761, 0.1976), abs=5e-5)
    assert albumin.p_value == pytest.approx(0.9102, abs=5e-4)
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    gaps = contrast @ aucs
    chi_squared = gaps @ np.linalg.inv(contrast @ covariance @ contrast.T) @ gaps
    assert chi_squared == pytest.approx(2.5340, abs=5e-4)


def brute_force(labels, scores):
    """The variance by its definition: every positive against every negative."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    wins = (positive > negative) + 0.5 * (positive == negative)
    return wins.mean(), wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / negative.size


def draw(seed, images, decimals):
    generator = np.random.default_rng(seed)
    labels = np.r_[0, 0, 1, 1, generator.integers(0, 2, images)]
    first = np.round(generator.normal(0.3 * labels, 1), decimals)
    return labels, first, np.round(0.5 * first + generator.normal(0.2 * labels, 1), decimals)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(0, 6))
def test_equals_its_definition_and_a_second_library(seed, images, decimals):
    labels, first, second = draw(seed, images, decimals)
    aucs, covariance = delong.auc_covariance(labels, [first, second])
    for index, scores in enumerate((first, second)):
        auc, variance = brute_force(labels, scores)
        assert (aucs[index], covariance[index, index]) == pytest.approx((auc, variance), abs=1e-12)
        assert auc == pytest.approx(sk.roc_auc_score(labels, scores))
    found = delong.compare(labels, first, second)
    if found.standard_error:
        z, p_value = Delong_test(labels, first, second, return_ci=False, return_auc=False)[:2]
        assert (abs(found.z), found.p_value) == pytest.approx((abs(z), p_value))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_order_of_classifiers_and_monotone_scores_change_nothing_else(seed):
    labels, first, second = draw(seed, 40, 3)
    one, other = delong.compare(labels, first, second), delong.compare(labels, np.exp(second), 3 * first)
    assert other.difference == pytest.approx(-one.difference)
    assert (other.standard_error, other.p_value) == pytest.approx((one.standard_error, one.p_value))
    assert one.interval[0] <= one.difference <= one.interval[1]


def test_rejects_as_often_as_it_says_where_nothing_differs():
    p_values = np.array([delong.compare(*draw_alike(seed)).p_value for seed in range(400)])
    assert np.mean(p_values < 0.1) == pytest.approx(0.1, abs=0.04)


def draw_alike(seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(80) % 2
    shared = generator.normal(labels, 1)
    return labels, shared + generator.normal(size=80), shared + generator.normal(size=80)


def test_copies_of_images_make_it_surer_than_the_bootstrap_by_group():
    labels, first, second = draw_alike(1)
    copies = [np.repeat(values, 4) for values in (labels, first, second)]
    alone, of_copies = delong.compare(labels, first, second), delong.compare(*copies)
    assert of_copies.standard_error == pytest.approx(alone.standard_error / 2, rel=0.05)
    low, high = bootstrap.auc_difference(*copies, np.repeat(np.arange(80), 4).astype(str))
    assert high - low == pytest.approx(alone.interval[1] - alone.interval[0], rel=0.15)


def test_classifiers_that_leave_no_doubt():
    labels = np.array([0, 0, 1, 1])
    same = delong.compare(labels, [1, 2, 3, 4], [10, 20, 30, 40])
    assert (same.difference, same.z, same.p_value) == (0, None, 1.0)
    opposite = delong.compare(labels, [1, 2, 3, 4], [4, 3, 2, 1])
    assert (opposite.difference, opposite.p_value) == (1, None)


@pytest.mark.parametrize("labels", [[], [1, 1, 1], [0, 0, 1]])
def test_too_few_images_of_a_class_give_none(labels):
    scores = np.arange(len(labels))
    assert delong.auc_covariance(labels, [scores, scores]) is None
    assert delong.compare(labels, scores, scores) is None


def test_time_grows_slowly():
    labels, first, second = draw(0, 200_000, 9)  # a matrix of all pairs would need 80 GB
    start = time.process_time()
    found = delong.compare(labels, first, second)
    assert time.process_time() - start < 5
    assert found.interval[1] - found.interval[0] < 0.006
