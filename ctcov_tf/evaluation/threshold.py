"""The threshold of the decision, chosen on validation images only."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sk

YOUDEN = "Youden's J"
FALLBACK = 0.5


def choose_threshold(predictions: pd.DataFrame, split: str = "validation") -> dict[str, Any]:
    """Threshold with the highest Youden's J (sensitivity + specificity - 1).

    It lies midway between two neighbouring probabilities, so that no image sits on it and an export's
    rounding flips no decision. Of several best ones it is the lowest: the most sensitive.

    Args:
      predictions: `target` (1 for the positive class, else 0) and `probability` of each image.
      split: the part they come from.

    Returns:
      `threshold`, `threshold_rule`, `split` and `images`. Where the images leave no choice (one class only,
      or the same probability for all) the threshold is 0.5 and the rule says why.
    """
    target = predictions["target"].to_numpy(int)
    probability = predictions["probability"].to_numpy(float)
    levels = np.unique(probability)
    if len(np.unique(target)) < 2:
        threshold, rule = FALLBACK, f"0.5, since {split} holds one class only"
    elif len(levels) < 2:
        threshold, rule = FALLBACK, f"0.5, since all probabilities of {split} are equal"
    else:
        false_rate, true_rate, cuts = sk.roc_curve(target, probability, drop_intermediate=False)
        inner = slice(1, -1)  # the first cut calls every image negative, the last one every image positive
        youden = np.round(true_rate - false_rate, 12)[inner]
        lowest = float(cuts[inner][np.flatnonzero(youden == youden.max())[-1]])
        below = levels[np.searchsorted(levels, lowest) - 1]
        threshold, rule = float((lowest + below) / 2), f"{YOUDEN} on {split}"
    return {"threshold": threshold, "threshold_rule": rule, "split": split, "images": len(target)}
