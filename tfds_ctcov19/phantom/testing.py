"""What the tests of the phantoms share: how well simple measures of a picture tell a class."""

from collections.abc import Sequence

import numpy as np
from sklearn import linear_model, model_selection, pipeline, preprocessing

from tfds_ctcov19.phantom import scanner


def grey_statistics(phantoms: Sequence[scanner.Phantom]) -> np.ndarray:
    """Returns mean, deviation and five percentiles of the grey levels of each image, (images, 7)."""
    images = (phantom.image.astype(float) for phantom in phantoms)
    return np.array([[image.mean(), image.std(), *np.percentile(image, (10, 25, 50, 75, 90))] for image in images])


def cross_validated_auc(
    features: np.ndarray, phantoms: Sequence[scanner.Phantom], targets: Sequence[bool], penalty: float = 1.0
) -> float:
    """AUC of a logistic regression, folds split by patient.

    Args:
      features: (images, n).
      phantoms: the images, for their patients.
      targets: what to tell, one an image.
      penalty: weight of the squared coefficients.

    Returns:
      Mean over five folds.
    """
    model = linear_model.LogisticRegression(C=1 / penalty, max_iter=1000)
    scores = model_selection.cross_val_score(
        pipeline.make_pipeline(preprocessing.StandardScaler(), model),
        features,
        targets,
        groups=[phantom.patient for phantom in phantoms],
        cv=model_selection.StratifiedGroupKFold(5),
        scoring="roc_auc",
    )
    return float(scores.mean())
