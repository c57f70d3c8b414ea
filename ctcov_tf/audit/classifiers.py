"""Classifiers that cannot read disease: how well each tells the classes apart, out of fold, by group.

No setting is chosen by result: one kind of model, one set of settings, folds that keep groups together. Each image is
scored by a model that has not seen its group, and the intervals are those of a bootstrap over groups.
"""

from collections.abc import Callable
import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import ensemble, linear_model, model_selection, pipeline, preprocessing
import threadpoolctl

from ctcov_tf.audit import views
from ctcov_tf.audit.scan import Scan
from ctcov_tf.evaluation import metadata_classifier
from ctcov_tf.progress import Bar
from ctcov_tf.statistics import bootstrap
from ctcov_tf.statistics import metrics as metrics_lib

FOLDS = 5
TREES = 200
LEAST_GROUPS = 10
"""Groups with, and groups without images of a class that an interval of its AUC needs."""

TITLES = {
    "file": "file: size, mode, format, length",
    "source": "source",
    "patient": "age, sex, view",
    "border": "border of the image",
    "masked_centre": "image with its centre masked",
    "thumbnail": "16 x 16 thumbnail",
}
"""What each classifier sees."""


@dataclasses.dataclass(frozen=True)
class ClassAuc:
    """How well one class is told from the others.

    Attributes:
      label: name of the class.
      value: AUC of the images out of fold.
      low: lower end of the 95 % interval over groups, None where none can be had.
      high: upper end.
    """

    label: str
    value: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Result:
    """What one classifier found.

    Attributes:
      name: key of `TITLES`.
      folds: in how many folds it was validated.
      classes: of every class against the rest; of two classes the first alone, the other has the same AUC.
      reason: why there is no AUC, or no interval; empty if there is nothing to say.
    """

    name: str
    folds: int
    classes: tuple[ClassAuc, ...]
    reason: str = ""


def run(seen: Scan, seed: int = 0) -> list[Result]:
    """Validates every classifier for which the collection has something to see.

    Args:
      seen: the images.
      seed: of folds, models and bootstrap.
    """
    table = seen.table
    labels, codes = np.unique(table["label"].to_numpy(str), return_inverse=True)
    groups = groups_of(table)
    folds = number_of_folds(codes, groups)
    if folds < 2:
        reason = "one class only" if len(labels) < 2 else f"a class has images of {folds} group only"
        return [Result(name, 0, (), reason) for name in _models(table, seed)]
    weights = bootstrap.replicate_weights(groups, seed=seed)
    results = []
    for name, make in Bar(_models(table, seed).items(), desc="classifiers", unit="classifier"):
        scores = out_of_fold(make, _features(name, seen), codes, groups, folds, seed)
        classes = [_auc(codes == code, scores[:, code], str(labels[code]), groups, weights) for code in _judged(labels)]
        few = [one.label for one in classes if one.low is None]
        reason = f"no interval for {', '.join(few)}: less than {LEAST_GROUPS} groups with it or without it"
        results.append(Result(name, folds, tuple(classes), reason if few else ""))
    return results


def groups_of(table: pd.DataFrame) -> npt.NDArray:
    """(n,) name of each image's group; an image without one is a group of its own."""
    return np.where(table["group"] == "", "image " + table["image_id"], table["group"]).astype(str)


def number_of_folds(codes: npt.NDArray, groups: npt.NDArray) -> int:
    """As many as `FOLDS`, or as the class with the fewest groups has; 1 where there is one class only."""
    fewest = pd.Series(groups).groupby(codes).nunique().min()
    return int(min(FOLDS, fewest)) if len(np.unique(codes)) > 1 else 1


def out_of_fold(
    make: Callable[[], Any], features: Any, codes: npt.NDArray, groups: npt.NDArray, folds: int, seed: int
) -> npt.NDArray:
    """Probabilities of every image by a model that has not seen its group.

    Args:
      make: gives a classifier that is not fitted.
      features: table or array, a row an image.
      codes: (n,), class of each image.
      groups: (n,), its group.
      folds: number of them.
      seed: of the folds.

    Returns:
      float64 (n, classes).
    """
    scores = np.zeros((len(codes), codes.max() + 1))
    splitter = model_selection.StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, held_out in splitter.split(codes, codes, groups):
        with threadpoolctl.threadpool_limits(1):  # a few columns: boosting's threads would only wait for each other
            model = make().fit(_rows(features, train), codes[train])
            answers = model.predict_proba(_rows(features, held_out))
        # trees are added up in the order in which threads finish: beyond that rounding, scores are the seed's alone
        scores[np.ix_(held_out, model.classes_)] = np.round(answers, 9)
    return scores


def _models(table: pd.DataFrame, seed: int) -> dict[str, Callable[[], Any]]:
    """The classifiers that have something to see, by name."""
    categories, numbers = _patient_columns(table)
    models: dict[str, Callable[[], Any]] = {
        "file": lambda: metadata_classifier.boosting(metadata_classifier.CATEGORIES, metadata_classifier.NUMBERS, seed)
    }
    if table["source"].nunique() > 1:
        models["source"] = lambda: pipeline.make_pipeline(
            preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()
        )
    if categories or numbers:
        models["patient"] = lambda: metadata_classifier.boosting(categories, numbers, seed)
    return models | dict.fromkeys(views.NAMES, lambda: _forest(seed))


def _features(name: str, seen: Scan) -> Any:
    if name in views.NAMES:
        return views.features(name, seen.thumbnails)
    categories, numbers = _patient_columns(seen.table)
    columns = {"file": metadata_classifier.COLUMNS, "source": ["source"], "patient": categories + numbers}
    return seen.table[columns[name]]


def _patient_columns(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What is told of patients, text and numbers, as far as it differs from image to image."""
    told = [name for name in ("sex", "view", "age") if name in table and table[name].nunique(dropna=False) > 1]
    return [name for name in told if name != "age"], [name for name in told if name == "age"]


def _forest(seed: int) -> Any:
    """Trees on grey levels: they need no scaling, and a mark in one cell is enough for them."""
    return ensemble.ExtraTreesClassifier(TREES, min_samples_leaf=3, random_state=seed, n_jobs=-1)


def _judged(labels: npt.NDArray) -> list[int]:
    return [0] if len(labels) == 2 else list(range(len(labels)))


def _rows(features: Any, rows: npt.NDArray) -> Any:
    return features.iloc[rows] if isinstance(features, pd.DataFrame) else features[rows]


def _auc(truth: npt.NDArray, scores: npt.NDArray, label: str, groups: npt.NDArray, weights: npt.NDArray) -> ClassAuc:
    value = metrics_lib.binary_metrics(truth, scores, 0.5)["auc"]
    assert value is not None  # every class has images
    enough = min(len(np.unique(groups[truth])), len(np.unique(groups[~truth]))) >= LEAST_GROUPS
    interval = (
        bootstrap.percentile_interval(bootstrap.weighted_metrics(truth, scores, 0.5, weights)["auc"])
        if enough
        else None
    )
    low, high = interval or (None, None)
    return ClassAuc(label, value, low, high)
