"""Training of xDNN (arXiv 1912.02523): prototypes learnt in one pass over the training images, without gradients."""

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ctcov_tf import errors, files, input_pipeline, interruption
from ctcov_tf.config import BaselineConfig, ModelConfig
from ctcov_tf.models import registry, scores
from ctcov_tf.models.baselines import xdnn
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.training.callbacks import mean_auc

SMALLEST_NORM = 1e-12


def learns_by(config: ModelConfig) -> bool:
    """Whether a model is trained here: neither epochs nor optimizer, losses or augmentation play a part."""
    return isinstance(config, BaselineConfig) and config.method == "xdnn"


def fit(run: RunDirectory) -> None:
    """Learns the prototypes of a run, and writes `model.keras` and a history of one line.

    Images are taken once, in dataset order, and not augmented.

    Args:
      run: a run that has not been trained.

    Raises:
      CtcovError: a class has no training image, the backbone's weights cannot be had, or it was interrupted.
    """
    config = run.config
    model = registry.build(config.model, config.preprocess.image_size, len(run.labels.outputs))
    try:
        features, targets = _features(run, model)
    except KeyboardInterrupt as interrupt:
        raise errors.CtcovError(
            f"{run.path}: interrupted in its one pass: go on with --resume {run.path}"
        ) from interrupt
    mean, scale = standardisation(features)
    points = normalised((features - mean) * scale)
    classes = targets[:, 0].astype(int) if targets.shape[1] == 1 else targets.argmax(axis=1)
    learnt = []
    for number in range(max(2, targets.shape[1])):
        if not np.any(classes == number):
            raise errors.CtcovError(f"{config.data.dataset}: a class has no training image: xdnn needs one of each")
        learnt.append(learn(points[classes == number]))
    trained = xdnn.with_prototypes(model, mean, scale, learnt)
    _write_history(run, trained, sum(map(len, learnt)))
    with files.atomic_path(run.model_file) as written:
        trained.save(written)


def standardisation(features: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    """Mean of each feature, and what brings its standard deviation to 1; 0 for features that never change.

    Args:
      features: (images, features) float.

    Returns:
      Two arrays (features,), float32.
    """
    deviation = features.std(axis=0, dtype=np.float64)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    return features.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32)


def normalised(points: npt.NDArray) -> npt.NDArray:
    """Rows brought to a length of 1.

    Args:
      points: (n, features).

    Returns:
      The same shape; a row of zeros stays.
    """
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), SMALLEST_NORM)


def learn(points: npt.NDArray) -> npt.NDArray:
    """Prototypes of one class, in one pass.

    Each point moves the class's mean and variance. The density of a place x is 1 / (1 + |x - mean|^2 / variance). A
    point that is denser than every prototype, or less dense than every one, becomes a prototype; any other moves its
    nearest prototype, to the mean of all the points that this stands for.

    Args:
      points: (n, features) of length 1, in order; n at least 1.

    Returns:
      (prototypes, features) float32, at least one.
    """
    points = np.asarray(points, np.float64)
    prototypes, support = points[:1].copy(), np.ones(1)
    mean, mean_square = points[0].copy(), float(points[0] @ points[0])
    for number, point in enumerate(points[1:], start=2):
        mean += (point - mean) / number
        mean_square += (float(point @ point) - mean_square) / number
        variance = mean_square - float(mean @ mean)
        density = _density(point[np.newaxis], mean, variance)[0]
        densities = _density(prototypes, mean, variance)
        if density > densities.max() or density < densities.min():
            prototypes, support = np.vstack([prototypes, point]), np.append(support, 1.0)
            continue
        nearest = int(np.argmin(np.sum(np.square(prototypes - point), axis=1)))
        support[nearest] += 1
        prototypes[nearest] += (point - prototypes[nearest]) / support[nearest]
    return prototypes.astype(np.float32)


def _density(places: npt.NDArray, mean: npt.NDArray, variance: float) -> npt.NDArray:
    """Density of each row; 1 everywhere as long as all points are the same."""
    if variance <= 0:
        return np.ones(len(places))
    return 1 / (1 + np.sum(np.square(places - mean), axis=1) / variance)


def _features(run: RunDirectory, model: keras.Model) -> tuple[npt.NDArray, npt.NDArray]:
    """Features and targets of the training images, in dataset order."""
    backbone = keras.Model(model.input, model.get_layer(xdnn.FEATURES).output)
    features_of = tf.function(lambda images: backbone(images, training=False), reduce_retracing=True)
    batches = input_pipeline.evaluation_batches(run.config, run.labels, "train")
    parts = [(features_of(images).numpy(), targets.numpy()) for images, targets in interruption.steps(batches)]
    features, targets = map(np.concatenate, zip(*parts, strict=True))
    return features, targets


def _write_history(run: RunDirectory, model: keras.Model, prototypes: int) -> None:
    """One line, for the one pass: validation AUC, number of prototypes, image size."""
    batches = input_pipeline.evaluation_batches(run.config, run.labels, "validation")
    parts = [(targets.numpy(), model.predict_on_batch(images)) for images, targets in batches]
    targets, logits = map(np.concatenate, zip(*parts, strict=True))
    line = {
        "epoch": 0,
        "val_auc": mean_auc(targets, np.asarray(scores.probabilities(logits, run.labels)), run.labels),
        "prototypes": prototypes,
        "image_size": run.config.preprocess.image_size,
    }
    files.write_text(run.history_file, pd.DataFrame([line]).to_csv(index=False))
