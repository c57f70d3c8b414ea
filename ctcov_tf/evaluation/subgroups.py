"""Results by source, sex, age and view, as far as the dataset records them."""

from typing import Any

import pandas as pd

from ctcov_tf.evaluation.summary import summarise

UNKNOWN = "unknown"
OTHERS = "all others"
SMALL = 10  # positive images, negative images or groups below which a row says little
MOST = 10  # rows of a table; what is left is one more
AGE_BANDS = {"under 18": 18, "18 to 39": 40, "40 to 59": 60, "60 to 79": 80, "80 and over": 200}  # years, upper end

METRICS = ("auc", "recall", "specificity")


def by_subgroup(predictions: pd.DataFrame, cut: float) -> dict[str, dict[str, Any]]:
    """All that is recorded of the images, level by level.

    Args:
      predictions: `target`, 0 or 1, `probability` and `group_id` of each image, and some of `source`, `sex`, `view`
        (text, empty where unknown) and `age` (years, negative where unknown).
      cut: threshold of the decision.

    Returns:
      For each of these that tells at least two levels apart, by level: `images`, `groups`, `positives`, `small`
      (too few images of a class, or groups, to say much) and `metrics` (those of `METRICS`, with `value`, `low` and
      `high`). Unknown values are a level of their own, the last.
    """
    found = {}
    for name, levels in _levels(predictions).items():
        order = [level for level in _ordered(name, levels) if level != UNKNOWN]
        if len(order) + (levels == UNKNOWN).any() < 2 or not order:
            continue
        kept = order if len(order) <= MOST + 1 else order[:MOST]
        levels = levels.where(levels.isin([*kept, UNKNOWN]), OTHERS)
        rows = [level for level in (*kept, OTHERS, UNKNOWN) if (levels == level).any()]
        found[name] = {level: _summarise(predictions[levels == level], cut) for level in rows}
    return found


def _levels(predictions: pd.DataFrame) -> dict[str, pd.Series]:
    """The level of each image, by what is recorded."""
    found = {
        name: predictions[name].astype(str).str.strip().replace("", UNKNOWN)
        for name in ("source", "sex", "view")
        if name in predictions
    }
    if "age" in predictions:
        ends = [-1, *(end - 1 for end in AGE_BANDS.values())]
        bands = pd.cut(pd.to_numeric(predictions["age"]), ends, labels=list(AGE_BANDS))
        found["age"] = bands.astype(object).fillna(UNKNOWN)
    return found


def _ordered(name: str, levels: pd.Series) -> list[str]:
    """Ages in their order, everything else the most frequent first."""
    counts = levels.value_counts()
    if name == "age":
        return [band for band in AGE_BANDS if band in counts]
    return sorted(counts.index, key=lambda level: (-counts[level], level))


def _summarise(rows: pd.DataFrame, cut: float) -> dict[str, Any]:
    whole = summarise(rows, cut)
    negatives = whole["images"] - whole["positives"]
    return {
        **{name: whole[name] for name in ("images", "groups", "positives")},
        "small": min(whole["positives"], negatives, whole["groups"]) < SMALL,
        "metrics": {name: whole["metrics"][name] for name in METRICS},
    }
