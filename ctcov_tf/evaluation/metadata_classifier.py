"""The honest row beside every image model: a classifier that sees no pixel.

Where positive and negative images come from different places, their size, mode and file format can tell
the class. A network that reads the pixels is worth little where this one is as good.
"""

import numpy as np
import pandas as pd
from sklearn import compose, ensemble, pipeline, preprocessing
import threadpoolctl

from ctcov_tf.calibration import operating_points

CATEGORIES = ["mode", "file_format"]
NUMBERS = ["width", "height", "file_bytes"]
COLUMNS = CATEGORIES + NUMBERS


def fit(train: pd.DataFrame, seed: int = 0) -> pipeline.Pipeline | None:
    """Fits gradient boosting on the metadata of the training images.

    Args:
      train: one row an image: `COLUMNS`, and `target`, 1 for the positive class.
      seed: of the boosting.

    Returns:
      The classifier; None if the images are of one class only.
    """
    if train["target"].nunique() < 2:
        return None
    with threadpoolctl.threadpool_limits(1):  # a few hundred rows: threads would only wait for each other
        return boosting(CATEGORIES, NUMBERS, seed).fit(train[COLUMNS], train["target"])


def boosting(categories: list[str], numbers: list[str], seed: int = 0) -> pipeline.Pipeline:
    """Gradient boosting on columns of a table, not yet fitted.

    Args:
      categories: columns of text; what was not there in training counts as one more.
      numbers: columns of numbers; NaN is allowed.
      seed: of the boosting.
    """
    encode = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoded = compose.ColumnTransformer([("categories", encode, categories), ("numbers", "passthrough", numbers)])
    return pipeline.make_pipeline(encoded, ensemble.HistGradientBoostingClassifier(random_state=seed))


def predict(classifier: pipeline.Pipeline, images: pd.DataFrame) -> np.ndarray:
    """Probability of the positive class.

    Args:
      classifier: what `fit` gave.
      images: one row an image: `COLUMNS`.

    Returns:
      (n,) float64 in [0, 1].
    """
    if images.empty:
        return np.zeros(0)
    return classifier.predict_proba(images[COLUMNS])[:, 1]


def predict_parts(
    train: pd.DataFrame, validation: pd.DataFrame, parts: dict[str, pd.DataFrame], seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Fits on train, chooses a threshold on validation, and predicts whole parts.

    Args:
      train: one row an image: `COLUMNS`, and `target`, 1 for the positive class.
      validation: the same of the images that choose the threshold.
      parts: the same, with `group_id`, of the images to predict, by the name of their part.
      seed: of the boosting.

    Returns:
      `group_id`, `target` and `probability` of each image by part, the threshold in their `attrs`; nothing if the
      training images are of one class only.
    """
    classifier = fit(train, seed)
    if classifier is None:
        return {}

    def rows(images: pd.DataFrame) -> pd.DataFrame:
        return images[["group_id", "target"]].assign(probability=predict(classifier, images))

    cut = operating_points.choose_threshold(rows(validation))["threshold"]
    found = {part: rows(images) for part, images in parts.items()}
    for predicted in found.values():
        predicted.attrs["threshold"] = cut
    return found
