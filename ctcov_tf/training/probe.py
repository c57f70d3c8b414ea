"""What is measured of a pre-training without labels: a linear probe of its features, and whether it collapses."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn import linear_model, pipeline, preprocessing
import tensorflow as tf

from ctcov_tf.model_info import Labels
from ctcov_tf.models import simsiam
from ctcov_tf.training.callbacks import averaged_weights, mean_auc

COLLAPSED = 0.2
"""Deviation of embeddings below which a line on the terminal says so."""
_ITERATIONS = 1000


class Probe(keras.callbacks.Callback):
    """Adds the `val_auc` of a linear probe to the epoch's logs, and says so on the terminal where embeddings collapse.

    The probe is a logistic regression on the frozen, standardised features of training images, and judged on those of
    validation images; nothing is augmented. Stands before the callbacks that read the logs.

    Args:
      train: training images and their targets, (batch, 1); read once an epoch.
      validation: the same of validation images.
      labels: what the targets mean.
    """

    def __init__(self, train: tf.data.Dataset, validation: tf.data.Dataset, labels: Labels):
        super().__init__()
        self.train = train
        self.validation = validation
        self.labels = labels

    def set_model(self, model: keras.Model) -> None:
        """Takes the model that is trained, of `simsiam.two_views`."""
        super().set_model(model)
        features = simsiam.features(model)
        self._features = tf.function(lambda images: features(images, training=False), reduce_retracing=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Runs the images, and fits the probe."""
        if logs is None:
            return
        with averaged_weights(self.model):
            features, targets = self._run(self.train)
            judged, judged_targets = self._run(self.validation)
        logs["val_auc"] = mean_auc(judged_targets, probe(features, targets, judged), self.labels)
        if logs[simsiam.DEVIATION] < COLLAPSED:
            print(
                f"epoch {epoch + 1}: all images have nearly the same embedding (deviation "
                f"{logs[simsiam.DEVIATION]:.3f}, 1 is the most): train again with a lower --learning-rate or a larger "
                "--batch-size"
            )

    def _run(self, batches: tf.data.Dataset) -> tuple[npt.NDArray, npt.NDArray]:
        """Features and targets of all images."""
        parts = [(self._features(images).numpy(), targets.numpy()) for images, targets in batches]
        features, targets = map(np.concatenate, zip(*parts, strict=True))
        return features, targets


def probe(features: npt.NDArray, targets: npt.NDArray, judged: npt.NDArray) -> npt.NDArray:
    """What a logistic regression on features says of other images.

    Args:
      features: (images, features) float, that it is fitted to.
      targets: (images, 1): 1 or 0.
      judged: (others, features) float.

    Returns:
      (others, 1) probability of 1; the share of 1 where all targets are the same.
    """
    known = targets[:, 0] > 0
    if known.all() or not known.any():
        return np.full((len(judged), 1), known.mean())
    classifier = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=_ITERATIONS)
    )
    return classifier.fit(features, known).predict_proba(judged)[:, 1:]
