"""Where the images come from: what a score is worth if the source of an image tells its class.

In collections of many origins the positive images may come from other places than the negative ones. A network
can then score without reading disease. Two numbers show how far: the AUC of the source alone, and the metrics
on those images only whose source also holds positives.
"""

from typing import Any

import pandas as pd

from ctcov_tf.evaluation.summary import SEED, summarise
from ctcov_tf.model_info import Labels
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib


def source_alone(train: pd.DataFrame, images: pd.DataFrame) -> dict[str, Any] | None:
    """What the source alone tells of the class.

    Args:
      train: `source` and `target` of the training images.
      images: `source`, `target` and `group_id` of the images judged.

    Returns:
      `sources`: `images` and `positives` by name; `auc` (`value`, `low`, `high`) of scoring each image with the
      share of positives that its source has in train, or train as a whole where it lacks the source. None where
      the images are of one source or of one class.
    """
    if "source" not in images or images["source"].nunique() < 2 or images["target"].nunique() < 2:
        return None
    shares = train.groupby("source")["target"].mean()
    scores = images["source"].map(shares).fillna(train["target"].mean()).to_numpy(float)
    found = bootstrap.bootstrap(images["target"], scores, images["group_id"].to_numpy(), 0.5, seed=SEED)
    auc = metrics_lib.binary_metrics(images["target"], scores, 0.5)["auc"]
    counts = images.groupby("source")["target"].agg(["size", "sum"])
    return {
        "sources": {
            str(name): {"images": int(size), "positives": int(positives)}
            for name, size, positives in counts.itertuples()
        },
        "auc": bootstrap.with_interval(auc, found.intervals["auc"]),
    }


def same_source(predictions: pd.DataFrame) -> pd.DataFrame | None:
    """The images whose source also holds positives.

    Args:
      predictions: `source` and `target` of each image.

    Returns:
      Their rows; None where no negative image is among them, or every one.
    """
    if "source" not in predictions:
        return None
    of_positives = set(predictions.loc[predictions["target"] == 1, "source"])
    kept = predictions["source"].isin(of_positives)
    negatives = kept[predictions["target"] == 0]
    return predictions[kept] if negatives.any() and not negatives.all() else None


def summarise_same_source(predictions: pd.DataFrame, cut: float, labels: Labels | None = None) -> dict[str, Any] | None:
    """All numbers on the images whose source also holds positives.

    Args:
      predictions: as `summarise` takes them, with `source`.
      cut: threshold of the decision.
      labels: of the network.

    Returns:
      What `summarise` gives, `sources` (their names) and `auc_difference`: AUC of these images minus that of all,
      with its interval over the same replicates. None where `same_source` gives None.
    """
    rows = same_source(predictions)
    if rows is None:
        return None
    found = summarise(rows, cut, labels)
    difference = _auc(rows) - _auc(predictions)
    weights = bootstrap.replicate_weights(predictions["group_id"].to_numpy(), seed=SEED)
    kept = predictions.index.isin(rows.index)
    whole, part = (
        bootstrap.weighted_metrics(frame["target"], frame["probability"], cut, drawn)["auc"]
        for frame, drawn in ((predictions, weights), (rows, weights[:, kept]))
    )
    several = predictions["group_id"].nunique() > 1
    interval = bootstrap.percentile_interval(part - whole) if several else None
    sources = sorted(map(str, rows["source"].unique()))
    return found | {"sources": sources, "auc_difference": bootstrap.with_interval(difference, interval)}


def _auc(predictions: pd.DataFrame) -> float:
    auc = metrics_lib.binary_metrics(predictions["target"], predictions["probability"], 0.5)["auc"]
    assert auc is not None  # same_source holds images of both classes
    return auc
