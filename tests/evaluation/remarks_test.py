import copy

import pytest

from ctcov_tf.evaluation import remarks


def part(auc, low, high, **changes):
    counts = {"images": 100, "groups": 60, "positives": 40, "one_class_replicates": 0}
    counts |= {"groups_in_train": 0, "images_in_train": 0}
    return {**counts, "metrics": {"auc": {"value": auc, "low": low, "high": high}}, **changes}


@pytest.fixture
def metrics():
    return {
        "dataset": "covid_ct/conflicts_dropped:1.0.0",
        "synthetic": False,
        "shares_groups": None,
        "parts": [],
        "splits": {"validation": part(0.82, 0.72, 0.9), "test": part(0.8, 0.7, 0.88)},
        "metadata_only": {
            "test": part(0.94, 0.9, 0.97) | {"auc_difference": {"value": -0.14, "low": -0.2, "high": -0.05}}
        },
        "same_source": {},
        "source_alone": {},
        "threshold": {"threshold": 0.4, "threshold_rule": "Youden's J on validation"},
        "pointing_game": None,
        "gate": {},
        "test_readings": 1,
    }


def said(metrics):
    return " ".join(remarks.remarks(metrics))


def test_says_how_wide_the_interval_is(metrics):
    assert "0.180 wide, so models that differ by less than about 0.09" in said(metrics)


def test_says_that_metadata_is_better(metrics):
    assert "AUC 0.940 on the test part, the model 0.800 (difference -0.140" in said(metrics)
    assert "The files tell the class better than the model does" in said(metrics)


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.02, 0.2, "The model is better, but"), (-0.1, 0.1, "can't be told apart: the score")]
)
def test_verdict_follows_the_difference(metrics, low, high, verdict):
    metrics["metadata_only"]["test"]["auc_difference"] = {"value": 0.05, "low": low, "high": high}
    assert verdict in said(metrics)
    assert "tell the class better" not in said(metrics)


def test_says_that_metadata_is_at_chance(metrics):
    metrics["metadata_only"]["test"]["metrics"]["auc"] = {"value": 0.52, "low": 0.4, "high": 0.6}
    assert "is at chance on the test part (AUC 0.520)" in said(metrics)


def test_says_that_the_model_is_at_chance(metrics):
    metrics["splits"]["test"] = part(0.55, 0.45, 0.66)
    assert "reaches down to chance" in said(metrics)


def test_says_what_is_unusual(metrics):
    quiet = said(metrics)
    loud = copy.deepcopy(metrics)
    loud["synthetic"] = True
    loud["splits"]["test"] |= {"one_class_replicates": 12}
    loud["threshold"]["threshold_rule"] = "0.5, since validation holds one class only"
    loud["test_readings"] = 5
    for phrase in (
        "synthetic",
        "12 of the resamplings of the test part drew one class only",
        "The threshold is 0.5, since validation holds one class only",
        "read 5 times",
    ):
        assert phrase in said(loud)
        assert phrase not in quiet


def test_shared_patients_are_a_warning_not_a_remark(metrics):
    assert not remarks.warnings(metrics)
    metrics["splits"]["test"] |= {"groups_in_train": 7, "images_in_train": 31}
    (warning,) = remarks.warnings(metrics)
    assert warning.startswith("Patients stand in train and in test: 7 of the 60 groups of the test part, with 31 of")
    assert "stand in train" not in said(metrics)


def test_shared_patients_that_are_declared_and_cannot_be_counted(metrics):
    metrics["shares_groups"] = "patients have no id"
    assert remarks.warnings(metrics) == ["Patients may stand in several parts of this dataset: patients have no id"]


@pytest.mark.parametrize(
    ("trained_on", "verdict"),
    [
        ("covid_ct/conflicts_dropped:1.0.0", "part 1 was trained on the same dataset"),
        ("covid_ct/as_released:1.0.0", "part 1 was trained on another form of the dataset"),
        ("chexpert:3.1.0", None),
    ],
)
def test_says_what_the_parts_were_trained_on(metrics, trained_on, verdict):
    metrics["parts"] = [{"name": "part1", "preset": "cxr_part1", "trained_on": trained_on}]
    assert ("frozen part" in said(metrics)) == bool(verdict)
    assert (verdict or "") in said(metrics)


def alone(value, low, high, **positives):
    counts = {name: {"images": 50, "positives": of} for name, of in positives.items()}
    return {"test": {"sources": counts, "auc": {"value": value, "low": low, "high": high}}}


def test_sources_of_one_class_each_tell_the_class(metrics):
    metrics["source_alone"] = alone(1.0, 1.0, 1.0, papers=50, atlas=0, archive=0)
    assert "Every source of the test part holds positive images only or negative ones only" in said(metrics)


@pytest.mark.parametrize(
    ("value", "low", "verdict"),
    [(0.9, 0.8, "could rest on the source alone"), (0.65, 0.6, "may be the source"), (0.55, 0.4, None)],
)
def test_judges_what_the_source_alone_gives(metrics, value, low, verdict):
    metrics["source_alone"] = alone(value, low, 0.95, here=40, there=1)
    assert ("The source of an image alone" in said(metrics)) == bool(verdict)
    assert (verdict or "") in said(metrics)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.3, -0.1, "clearly worse than on the whole"), (0.1, 0.2, "clearly better"), (-0.1, 0.1, "within chance")],
)
def test_judges_the_same_source(metrics, low, high, verdict):
    metrics["source_alone"] = alone(0.55, 0.4, 0.7, here=40, there=1)
    names = ["here", "there", "a", "b", "c", "d"]
    metrics["same_source"] = {
        "test": part(0.6, 0.5, 0.7, images=60, sources=names, auc_difference={"value": 0.1, "low": low, "high": high})
    }
    text = said(metrics)
    assert "20 of the 60 negative images of the test part come from a source that also holds positive ones" in text
    assert "(here, there, a, b and 2 more)" in text
    assert verdict in text


@pytest.mark.parametrize(
    ("test", "verdict"),
    [(part(0.6, 0.55, 0.65), "clearly worse"), (part(0.97, 0.95, 0.99), "clearly better"), (part(0.8, 0.7, 0.9), None)],
)
def test_compares_validation_and_test(metrics, test, verdict):
    metrics["splits"]["test"] = test
    assert ("clearly" in said(metrics)) == bool(verdict)
    assert (verdict or "") in said(metrics)


@pytest.mark.parametrize(("low", "verdict"), [(0.3, "more often than a random point"), (0.1, "no proof")])
def test_judges_the_pointing_game(metrics, low, verdict):
    metrics["pointing_game"] = {"share": 0.5, "low": low, "high": 0.7, "chance": 0.12}
    assert verdict in said(metrics)


def test_parts_of_one_class_or_none(metrics):
    metrics["splits"] = {
        "validation": part(None, None, None, images=0, positives=0),
        "test": part(None, None, None, positives=0),
    }
    assert "The validation part holds no images" in said(metrics)
    assert "The test part holds one class only" in said(metrics)


def estimate(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def control(auc, low, high, difference):
    masks = {"border_only": {"auc": estimate(auc, low, high), "auc_difference": estimate(*difference)}}
    return {"test": {"whole": {"auc": estimate(0.8, 0.7, 0.88)}, "masks": masks}}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((0.79, 0.7, 0.87, (-0.01, -0.05, 0.03)), "above chance (AUC 0.790, 95 % interval 0.700 to 0.870): it reads"),
        ((0.79, 0.7, 0.87, (-0.01, -0.05, 0.03)), "Its score on whole images (0.800) could rest on that alone"),
        ((0.65, 0.6, 0.7, (-0.15, -0.2, -0.1)), "It does less well there than on whole images (-0.150)."),
        ((0.3, 0.2, 0.4, (-0.5, -0.6, -0.4)), "below chance (AUC 0.300"),
        ((0.3, 0.2, 0.4, (-0.5, -0.6, -0.4)), "against the labels, so its score on whole images can't rest on it"),
        ((0.52, 0.45, 0.6, (-0.3, -0.4, -0.2)), "can't be told from chance: this control finds nothing"),
    ],
)
def test_judges_the_controls(metrics, found, verdict):
    assert verdict not in said(metrics)
    metrics["controls"] = control(*found)
    assert "nothing but the border" in said(metrics)
    assert verdict in said(metrics)
    assert ("something other than the lungs" in said(metrics)) == ("above chance" in said(metrics))


def test_controls_without_an_interval_are_not_judged(metrics):
    metrics["controls"] = control(0.9, None, None, (0, None, None))
    assert "border" not in said(metrics)


@pytest.mark.parametrize(("refused", "many"), [(10, False), (11, True)])
def test_says_that_the_gate_refuses_more_than_it_was_set_to(metrics, refused, many):
    metrics["gate"] = {"validation": {"images": 100, "refused": 5}, "test": {"images": 100, "refused": refused}}
    text = said(metrics)
    assert f"would refuse 5 of the 100 images of validation and {refused} of the 100 images of test" in text
    assert ("more than twice the 5% of validation that its limit leaves out" in text) == many


def level(auc, low, high, images=100, small=False):
    return {"images": images, "small": small, "metrics": {"auc": estimate(auc, low, high)}}


def test_names_subgroups_that_differ(metrics):
    women, men = level(0.6, 0.5, 0.7), level(0.85, 0.8, 0.9)
    metrics["subgroups"] = {"test": {"sex": {"F": women, "M": men}}}
    assert "By sex, the AUC of F (0.600) is clearly lower than that of M (0.850)" in said(metrics)
    for other in (level(0.85, 0.65, 0.9), level(0.85, 0.8, 0.9, small=True)):
        metrics["subgroups"] = {"test": {"sex": {"F": women, "M": other, "unknown": level(0.99, 0.98, 1.0, images=10)}}}
        assert "By sex" not in said(metrics)


def test_says_where_most_is_unknown(metrics):
    metrics["subgroups"] = {"test": {"age": {"40 to 59": level(0.8, 0.7, 0.9), "unknown": level(0.8, 0.7, 0.9, 150)}}}
    assert "The dataset does not record the age of 150 of 250 images: little" in said(metrics)


def worth(error, most, excess=(0.0, -0.1, 0.1), positive=(0.2, 0.1, 0.3)):
    values = {"prevalences": [0.01, 0.05], "positive": {}}
    for name, one in zip(("value", "low", "high"), positive, strict=True):
        values["positive"][name] = [None, one]
    after = {
        "expected_calibration_error": {"equal_mass": estimate(error, 0.1, 0.2) | {"if_calibrated": {"high": most}}},
        "in_the_large": estimate(*excess),
    }
    return {
        "test": {"images": 100, "positives": 40, "after": after, "operating_points": [{"predictive_values": values}]}
    }


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (worth(0.08, 0.1), "a perfectly calibrated model would also show (up to 0.100)"),
        (worth(0.15, 0.1), "a perfectly calibrated model would show 0.100 at most on so many images. Don't read"),
        (worth(0.15, 0.1, (0.12, 0.05, 0.2)), "they are too high by 0.120 on the whole"),
        (worth(0.15, 0.1, (-0.12, -0.2, -0.05)), "they are too low by 0.120 on the whole"),
        (
            worth(0.1, 0.1),
            "Where 5% of patients are positive, 20% of this threshold's positive decisions would be right",
        ),
    ],
)
def test_judges_the_calibration(metrics, found, verdict):
    metrics["calibration"] = found
    assert verdict in said(metrics)
    assert "40% of images are positive" in said(metrics)


def test_predictive_values_that_are_undefined_are_passed_over(metrics):
    metrics["calibration"] = worth(0.1, 0.2, positive=(None, None, None))
    assert "of patients are positive" not in said(metrics)
