import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.evaluation import calibration
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import calibration as calibration_lib
from tests.calibrated_images import NEW, OLD, RATE, draw


@pytest.fixture(scope="module")
def frame():
    return draw()


@pytest.fixture(scope="module")
def found(frame):
    return calibration.summarise(frame, NEW)


def test_it_is_json(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_errors_are_those_of_the_probabilities(frame, found):
    after = found["after"]
    error = after["expected_calibration_error"]["equal_mass"]
    expected = calibration_lib.calibration_error(frame["target"], frame["probability"], "equal_mass")[0]
    assert error["value"] == pytest.approx(expected)
    assert error["low"] <= error["value"] <= error["high"]
    assert error["if_calibrated"]["mean"] < error["if_calibrated"]["high"]
    brier = after["brier"]
    assert brier["value"] == pytest.approx(sk.brier_score_loss(frame["target"], frame["probability"]))
    assert brier["low"] < brier["value"] < brier["high"] < after["brier_of_prevalence"]
    assert after["in_the_large"]["value"] == pytest.approx(frame["probability"].mean() - frame["target"].mean())
    assert sum(after["reliability"]["equal_mass"]["images"]) == found["images"] == len(frame)


def test_temperature_scaling_is_seen(found):
    before, after = (found[name]["expected_calibration_error"]["equal_mass"] for name in ("before", "after"))
    assert before["value"] > before["if_calibrated"]["high"] > after["value"]
    assert after["value"] < after["if_calibrated"]["high"]
    assert (found["temperature"], found["before"]["brier"]["value"] > found["after"]["brier"]["value"]) == (2.0, True)


@pytest.mark.parametrize("chosen", [OLD, NEW | {"temperature": 1.0}], ids=["unknown", "none"])
def test_without_a_temperature_there_is_no_before(frame, chosen):
    found = calibration.summarise(frame, chosen)
    assert found["before"] is None
    assert found["temperature"] == chosen.get("temperature")
    assert calibration.summarise(frame.drop(columns="uncalibrated"), NEW)["before"] is None


def test_groups_of_alike_images_widen_every_interval(frame):
    frame = frame.assign(group_id=np.arange(len(frame)).astype(str))
    copies = pd.concat([frame] * 4, ignore_index=True)
    alone, by_group = calibration.summarise(frame, OLD), calibration.summarise(copies, OLD)
    by_image = calibration.summarise(copies.assign(group_id=np.arange(len(copies)).astype(str)), OLD)
    for pick in (
        lambda one: one["after"]["brier"],
        lambda one: one["after"]["in_the_large"],
        lambda one: one["operating_points"][0]["sensitivity"],
    ):
        widths = [pick(one)["high"] - pick(one)["low"] for one in (alone, by_group, by_image)]
        assert widths[1] == pytest.approx(widths[0], rel=0.1)
        assert widths[2] < 0.7 * widths[1]
    if_calibrated = [
        one["after"]["expected_calibration_error"]["equal_mass"]["if_calibrated"]["mean"]
        for one in (alone, by_group, by_image)
    ]
    assert if_calibrated[1] == pytest.approx(if_calibrated[0], rel=0.1)
    assert if_calibrated[2] < 0.7 * if_calibrated[1]


def test_the_decision_of_the_run_leads_the_operating_points(found):
    youden, sensitive = found["operating_points"]
    assert (youden["name"], youden["threshold"], sensitive["name"]) == ("youden", 0.4, "sensitivity_0.95")
    assert youden["validation"] == {"sensitivity": RATE, "specificity": RATE}
    assert sensitive["sensitivity"]["value"] > youden["sensitivity"]["value"]
    assert [point["name"] for point in calibration.points(NEW | {"threshold": 0.3})] == [
        "threshold",
        "sensitivity_0.95",
        "youden",
    ]
    (only,) = calibration.points(OLD)
    assert (only["name"], only["threshold"], only["rule"]) == ("threshold", 0.4, OLD["threshold_rule"])


def test_rates_and_predictive_values_are_counted(frame, found):
    point = found["operating_points"][0]
    decision = frame["probability"] >= 0.4
    recall = sk.recall_score(frame["target"], decision)
    assert point["sensitivity"]["value"] == pytest.approx(recall)
    intervals = bootstrap.bootstrap(frame["target"], frame["probability"], frame["group_id"], 0.4).intervals
    assert (point["sensitivity"]["low"], point["sensitivity"]["high"]) == intervals["recall"]
    specificity = sk.recall_score(frame["target"], decision, pos_label=0)
    values = point["predictive_values"]
    place = values["prevalences"].index(0.1)
    expected = 0.1 * recall / (0.1 * recall + 0.9 * (1 - specificity))
    low, value, high = (values["positive"][name][place] for name in ("low", "value", "high"))
    assert value == pytest.approx(expected)
    assert low < value < high
    assert np.all(np.diff(values["positive"]["value"]) > 0)
    assert np.all(np.diff(values["negative"]["value"]) < 0)


def test_the_decision_curve_has_a_band(frame, found):
    curve = found["decision_curve"]
    place = curve["thresholds"].index(0.4)
    decision = frame["probability"] >= 0.4
    true, false = (decision & (frame["target"] == 1)).mean(), (decision & (frame["target"] == 0)).mean()
    assert curve["value"][place] == pytest.approx(true - false * 0.4 / 0.6)
    assert curve["low"][place] < curve["value"][place] < curve["high"][place]
    assert curve["all"][place] == pytest.approx(frame["target"].mean() - (1 - frame["target"].mean()) * 0.4 / 0.6)


def test_parts_that_define_little():
    frame = draw(20)
    assert calibration.summarise(frame.head(0), OLD) is None
    negatives = calibration.summarise(frame.assign(target=0), OLD)
    assert negatives["operating_points"][0]["sensitivity"] == {"value": None, "low": None, "high": None}
    assert set(negatives["operating_points"][0]["predictive_values"]["positive"]["value"]) == {None}
    assert negatives["after"]["brier"]["low"] is not None
    one_group = calibration.summarise(frame.assign(group_id="a"), OLD)
    assert one_group["after"]["brier"]["value"] is not None
    assert one_group["after"]["brier"]["low"] is None
    assert json.dumps([negatives, one_group], allow_nan=False)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_of_the_error_holds_the_error(seed):
    error = calibration.summarise(draw(60, seed), OLD)["after"]["expected_calibration_error"]
    for one in error.values():
        assert one["low"] <= one["value"] <= one["high"]
