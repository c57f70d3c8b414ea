"""Probability of every image of a split, kept in the run directory as long as the model stays the same."""

import dataclasses
import hashlib
import json
import pathlib

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
import tqdm

from ctcov_tf import errors, files, input_pipeline
from ctcov_tf.models import scores
from ctcov_tf.run_directory import RunDirectory

BATCH_SIZE = 16
SILENT_SECONDS = 2  # work that takes longer shows its progress

_TEXT = ("image_id", "group_id", "source", "file_format", "mode", "sex")


def predict_split(run: RunDirectory, split: str, model: keras.Model | None = None) -> pd.DataFrame:
    """Predicts every image of a split, or reads what an earlier call has written.

    Args:
      run: the run; `model.keras` must be there.
      split: `train`, `validation` or `test`.
      model: the network of `model.keras`, where it is loaded already.

    Returns:
      One row an image, in dataset order: the dataset's metadata (`label` as an integer, `image_id`,
      `group_id`, ...), `target` (1 for the positive class), `probability` of the positive class, and
      `p_<output>` by each output of the network.

    Raises:
      CtcovError: model or dataset is missing, or the network's outputs are not finite.
    """
    if not run.model_file.is_file():
        raise errors.CtcovError(f"{run.model_file}: missing: finish the run with train.py --resume {run.path}")
    path, fingerprint = run.predictions_file(split), _fingerprint(run)
    origin = path.with_suffix(".json")
    if path.is_file() and _read_fingerprint(origin) == fingerprint:
        return pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(_TEXT, str))

    predictions = _predict(run, split, model or run.load_model())
    origin.unlink(missing_ok=True)
    with files.atomic_path(path) as written:
        predictions.to_csv(written, index=False)
    files.write_json(origin, {"fingerprint": fingerprint, "images": len(predictions)})
    return predictions


def _predict(run: RunDirectory, split: str, model: keras.Model) -> pd.DataFrame:
    metadata = input_pipeline.metadata(run.config.data, split).reset_index(drop=True)
    batches = input_pipeline.evaluation_batches(run.config, run.labels, split, batch_size=BATCH_SIZE)

    @tf.function(reduce_retracing=True)
    def probabilities_of(images: tf.Tensor) -> tf.Tensor:
        return scores.probabilities(model(images, training=False), run.labels)

    parts = []
    with tqdm.tqdm(
        total=len(metadata), desc=f"predict {split}", unit="image", delay=SILENT_SECONDS, leave=False
    ) as bar:
        for images, _ in batches:
            parts.append(probabilities_of(images).numpy())
            bar.update(len(parts[-1]))
    probabilities = np.concatenate([np.zeros((0, len(run.labels.outputs))), *parts])
    broken = int(np.sum(~np.isfinite(probabilities).all(axis=1)))
    if broken:
        raise errors.CtcovError(
            f"{run.model_file}: gives no finite probability for {broken} of {len(metadata)} images of {split}: "
            "its training diverged; train again with a lower --learning-rate"
        )
    predictions = metadata.assign(
        target=(metadata["label"] == run.labels.positive_index).astype(int),
        probability=scores.positive_probability(probabilities, run.labels),
    )
    for index, name in enumerate(run.labels.outputs):
        predictions[f"p_{name}"] = probabilities[:, index]
    return predictions


def _fingerprint(run: RunDirectory) -> str:
    """Hash of all that the probabilities depend on: weights, pre-processing, images."""
    with run.model_file.open("rb") as model_file:
        digest = hashlib.file_digest(model_file, "sha256")
    digest.update(json.dumps(dataclasses.asdict(run.config.preprocess), sort_keys=True).encode())
    digest.update(json.dumps(run.manifest, sort_keys=True).encode())
    return digest.hexdigest()


def _read_fingerprint(origin: pathlib.Path) -> str | None:
    try:
        return json.loads(origin.read_text(encoding="utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
