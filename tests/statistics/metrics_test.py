import numpy as np
import pytest
from sklearn import metrics as sk

from ctcov_tf.statistics import metrics


@pytest.fixture(params=range(4))
def example(request):
    generator = np.random.default_rng(request.param)
    labels = generator.integers(0, 2, 60)
    probabilities = np.round(np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1), 1 + request.param % 2)
    return labels, probabilities


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_equals_scikit_learn(example, threshold):
    labels, probabilities = example
    decision = probabilities >= threshold
    found = metrics.binary_metrics(labels, probabilities, threshold)
    assert tuple(found) == metrics.NAMES
    assert found["precision"] == pytest.approx(sk.precision_score(labels, decision))
    assert found["recall"] == pytest.approx(sk.recall_score(labels, decision))
    assert found["specificity"] == pytest.approx(sk.recall_score(labels, decision, pos_label=0))
    assert found["f1"] == pytest.approx(sk.f1_score(labels, decision))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, decision))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(labels, probabilities))
    counts = metrics.confusion(labels, probabilities, threshold)
    assert [counts[name] for name in ("tn", "fp", "fn", "tp")] == sk.confusion_matrix(labels, decision).ravel().tolist()


def test_threshold_itself_is_positive():
    assert metrics.confusion([1, 0], [0.5, 0.49], 0.5) == {"tp": 1, "fp": 0, "fn": 0, "tn": 1}


@pytest.mark.parametrize(
    ("labels", "undefined"),
    [
        ([], set(metrics.NAMES)),
        ([0, 0], {"recall", "auc", "average_precision"}),
        ([1, 1], {"specificity", "auc"}),
    ],
)
def test_undefined_values_are_none(labels, undefined):
    found = metrics.binary_metrics(labels, [0.2, 0.9][: len(labels)], 0.5)
    assert {name for name, value in found.items() if value is None} == undefined


def test_precision_without_positive_decision_is_none():
    assert metrics.binary_metrics([0, 1], [0.1, 0.2], 0.5)["precision"] is None


def test_class_metrics_equal_scikit_learn():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 50)
    probabilities = generator.dirichlet(np.ones(3), 50)
    found = metrics.class_metrics(labels, probabilities, ["a", "b", "c"])
    assert found["confusion_matrix"] == sk.confusion_matrix(labels, probabilities.argmax(1)).tolist()
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, probabilities.argmax(1)))
    assert np.mean(list(found["auc"].values())) == pytest.approx(
        sk.roc_auc_score(labels, probabilities, multi_class="ovr")
    )


def test_class_metrics_of_an_absent_class():
    found = metrics.class_metrics([0, 1], [[0.9, 0.1, 0], [0.2, 0.8, 0]], ["a", "b", "c"])
    assert found["auc"] == {"a": 1.0, "b": 1.0, "c": None}
    assert found["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_class_metrics_of_no_images():
    found = metrics.class_metrics([], np.zeros((0, 2)), ["a", "b"])
    assert found == {
        "class_names": ["a", "b"],
        "confusion_matrix": [[0, 0], [0, 0]],
        "accuracy": None,
        "auc": {"a": None, "b": None},
    }
