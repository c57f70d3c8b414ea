from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.calibration import operating_points


def predictions(target, probability):
    groups = [f"patient{index // 2}" for index in range(len(target))]
    return pd.DataFrame({"target": target, "probability": probability, "group_id": groups})


def test_lies_in_the_gap_that_separates():
    found = operating_points.choose_threshold(predictions([0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9]))
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

    chosen = operating_points.choose_threshold(predictions(target, probability))["threshold"]
    levels = np.unique(probability)
    assert youden(chosen) == pytest.approx(max(youden(cut) for cut in levels))
    assert np.abs(probability - chosen).min() > 0


def test_of_equal_ones_the_most_sensitive():
    # J is 0.5 at 0.8 (sensitivity 0.5) and at 0.3 (sensitivity 1)
    found = operating_points.choose_threshold(predictions([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]))
    assert found["threshold"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("target", "probability", "reason"),
    [([], [], "one class only"), ([1, 1], [0.2, 0.9], "one class only"), ([0, 1], [0.3, 0.3], "are equal")],
)
def test_without_a_choice_it_is_a_half_and_says_why(target, probability, reason):
    found = operating_points.choose_threshold(predictions(target, probability))
    assert found["threshold"] == 0.5
    assert reason in found["threshold_rule"]


def rates(frame, cut):
    decision, target = frame["probability"] >= cut, frame["target"] == 1
    return decision[target].mean(), 1 - decision[~target].mean()


IMAGES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20).map(lambda n: n / 20)), min_size=2, max_size=60)


@settings(max_examples=60, deadline=None)
@given(IMAGES)
def test_points_reach_what_they_promise_and_no_better_one_does(images):
    frame = predictions(*map(list, zip(*images, strict=True)))
    found = {point["name"]: point for point in operating_points.choose(frame, operating_points.Costs(5, 1, 0.1))}
    assert found["youden"]["threshold"] == operating_points.choose_threshold(frame)["threshold"]
    if frame["target"].nunique() < 2:
        assert set(found) == {"youden"}
        return
    for point in found.values():
        sensitivity, specificity = rates(frame, point["threshold"])
        assert point["sensitivity"]["value"] == pytest.approx(sensitivity)
        assert point["specificity"]["value"] == pytest.approx(specificity)
    everything = [-1, *np.unique(frame["probability"]), 2]
    reachable = [rates(frame, cut) for cut in everything]
    assert rates(frame, found["sensitivity_0.95"]["threshold"])[0] >= 0.95
    best = max(specificity for sensitivity, specificity in reachable[:-1] if sensitivity >= 0.95)
    assert rates(frame, found["sensitivity_0.95"]["threshold"])[1] == pytest.approx(best)
    if "specificity_0.95" in found:
        assert rates(frame, found["specificity_0.95"]["threshold"])[1] >= 0.95
    else:
        assert (frame["probability"] == 1).any(), "only a probability of 1 keeps a threshold from refusing all"
    cost = [5 * 0.1 * (1 - sensitivity) + 0.9 * (1 - specificity) for sensitivity, specificity in reachable[:-1]]
    sensitivity, specificity = rates(frame, found["costs"]["threshold"])
    assert 5 * 0.1 * (1 - sensitivity) + 0.9 * (1 - specificity) <= min(cost) + 1e-9


def test_dearer_misses_lower_the_threshold():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, 400)
    frame = predictions(target, np.clip(generator.normal(0.4 + 0.2 * target, 0.2), 0, 1))

    def cut(*costs):
        return operating_points.choose(frame, operating_points.Costs(*costs))[-1]

    assert cut(10, 1)["threshold"] < cut(1, 1)["threshold"] < cut(1, 10)["threshold"]
    assert cut(1, 1, 0.9)["threshold"] < cut(1, 1, 0.1)["threshold"]
    assert cut(10, 1, 0.02)["rule"] == (
        "lowest expected cost on validation: a false negative 10, a false positive 1, prevalence 0.02"
    )


def test_no_image_sits_on_a_threshold_and_intervals_hold_the_value():
    generator = np.random.default_rng(1)
    target = generator.integers(0, 2, 120)
    frame = predictions(target, np.round(np.clip(generator.normal(0.4 + 0.2 * target, 0.2), 0.01, 0.99), 2))
    points = operating_points.choose(frame)
    assert [point["name"] for point in points] == ["youden", "sensitivity_0.95", "specificity_0.95"]
    for point in points:
        assert np.abs(frame["probability"] - point["threshold"]).min() > 1e-3
        for name in ("sensitivity", "specificity"):
            assert point[name]["low"] <= point[name]["value"] <= point[name]["high"]
