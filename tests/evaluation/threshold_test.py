import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import threshold


def predictions(target, probability):
    return pd.DataFrame({"target": target, "probability": probability})


def test_lies_in_the_gap_that_separates():
    found = threshold.choose_threshold(predictions([0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9]))
    assert found == {
        "threshold": pytest.approx(0.5),
        "threshold_rule": "Youden's J on validation",
        "split": "validation",
        "images": 4,
    }


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(seed):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, 80)
    probability = np.round(np.clip(generator.normal(0.4 + 0.2 * target, 0.2), 0, 1), 2)

    def youden(cut):
        return sk.balanced_accuracy_score(target, probability >= cut, adjusted=True)

    chosen = threshold.choose_threshold(predictions(target, probability))["threshold"]
    levels = np.unique(probability)
    assert youden(chosen) == pytest.approx(max(youden(cut) for cut in levels))
    assert np.abs(probability - chosen).min() > 0


def test_of_equal_ones_the_most_sensitive():
    # J is 0.5 at 0.8 (sensitivity 0.5) and at 0.3 (sensitivity 1)
    found = threshold.choose_threshold(predictions([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]))
    assert found["threshold"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("target", "probability", "reason"),
    [([], [], "one class only"), ([1, 1], [0.2, 0.9], "one class only"), ([0, 1], [0.3, 0.3], "are equal")],
)
def test_without_a_choice_it_is_a_half_and_says_why(target, probability, reason):
    found = threshold.choose_threshold(predictions(target, probability))
    assert found["threshold"] == 0.5
    assert reason in found["threshold_rule"]
