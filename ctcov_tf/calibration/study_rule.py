"""How the probabilities of slices become one decision about their study: chosen on validation groups only."""

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from ctcov_tf.calibration.operating_points import choose_threshold
from ctcov_tf.study import StudyRule, mean_of_highest

HIGHEST = (1, 2, 3, 5, 10, 20)
"""Numbers of slices that a rule may average; few, so that validation does not choose among many."""


def choose_study_rule(predictions: pd.DataFrame, split: str = "validation") -> StudyRule | None:
    """Chooses a rule with groups in the place of studies.

    A group is positive if one of its images is. Of the means of the highest k probabilities, k from `HIGHEST` as far as
    there are groups of so many images, it takes that with the highest AUC over groups, of equal ones the lowest k;
    then the threshold by `choose_threshold`, over groups.

    Args:
      predictions: `target` (1 for the positive class, else 0), `probability` and `group_id` of each image.
      split: the part they come from.

    Returns:
      The rule; None where the groups leave no choice: one class only, or the same mean for all.
    """
    groups = predictions.groupby("group_id")
    target = groups["target"].max().to_numpy(int)
    if len(np.unique(target)) < 2:
        return None
    largest = int(groups.size().max())
    means = {
        highest: groups["probability"].agg(mean_of_highest, highest).to_numpy(float)
        for highest in HIGHEST
        if highest <= largest
    }
    best = max(means, key=lambda highest: round(float(sk.roc_auc_score(target, means[highest])), 12))
    if len(np.unique(means[best])) < 2:
        return None
    chosen = choose_threshold(pd.DataFrame({"target": target, "probability": means[best]}), f"{split} groups")
    return StudyRule(
        highest=best,
        threshold=chosen["threshold"],
        rule=f"highest AUC, then {chosen['threshold_rule']}",
        groups=len(target),
        largest_group=largest,
    )
