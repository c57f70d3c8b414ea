import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from ctcov_tf.calibration import study_rule


def images(groups):
    """A table of groups: target and probabilities of the images of each."""
    return pd.DataFrame(
        [
            {"group_id": f"patient {number}", "target": target, "probability": probability}
            for number, (target, probabilities) in enumerate(groups)
            for probability in probabilities
        ],
        columns=["group_id", "target", "probability"],
    )


def test_an_artefact_in_one_slice_takes_the_mean_of_two():
    groups = [(1, [0.7, 0.7, 0.1]), (1, [0.8, 0.6, 0.2]), (0, [0.9, 0.1, 0.1]), (0, [0.85, 0.2, 0.1])]
    rule = study_rule.choose_study_rule(images(groups))
    assert (rule.highest, rule.groups, rule.largest_group) == (2, 4, 3)
    assert rule.threshold == pytest.approx((0.7 + 0.525) / 2)
    assert rule.rule == "highest AUC, then Youden's J on validation groups"


def test_a_small_lesion_takes_the_maximum():
    groups = [(1, [0.9, 0.1, 0.1]), (1, [0.8, 0.0, 0.0]), (0, [0.5, 0.5, 0.4]), (0, [0.6, 0.5, 0.5])]
    rule = study_rule.choose_study_rule(images(groups))
    assert (rule.highest, rule.threshold) == (1, pytest.approx(0.7))


@pytest.mark.parametrize("seed", range(3))
def test_no_other_number_separates_better(seed):
    generator = np.random.default_rng(seed)
    groups = [
        (label, generator.beta(1 + label, 2, generator.integers(1, 25)))
        for label in generator.integers(0, 2, 30).tolist()
    ]
    rule = study_rule.choose_study_rule(images(groups))
    targets = [label for label, _ in groups]

    def auc(highest):
        return sk.roc_auc_score(targets, [np.sort(values)[-highest:].mean() for _, values in groups])

    assert auc(rule.highest) == pytest.approx(max(map(auc, study_rule.HIGHEST)))


def test_of_groups_of_one_image_it_is_that_image():
    rule = study_rule.choose_study_rule(images([(1, [0.9]), (0, [0.2]), (1, [0.7])]))
    assert (rule.highest, rule.threshold, rule.largest_group) == (1, pytest.approx(0.45), 1)


@pytest.mark.parametrize("groups", [[], [(1, [0.2]), (1, [0.9])], [(0, [0.2])], [(1, [0.5, 0.5]), (0, [0.5])]], ids=str)
def test_without_a_choice_there_is_no_rule(groups):
    assert study_rule.choose_study_rule(images(groups)) is None
