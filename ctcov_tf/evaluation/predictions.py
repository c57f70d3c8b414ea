"""Probability of every image of a split, kept in the run directory as long as the model stays the same."""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ctcov_tf import bag_pipeline, errors, files, input_pipeline
from ctcov_tf.calibration import temperature
from ctcov_tf.config import BaselineConfig
from ctcov_tf.datasets import contents
from ctcov_tf.model_info import Labels
from ctcov_tf.models import input_gate, scores
from ctcov_tf.models.baselines import bags
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory

FORMAT = 2  # 1 kept probabilities, but no logits
BATCH_SIZE = 16


def predict_split(
    run: RunDirectory, split: str, model: keras.Model | None = None, *, path: pathlib.Path | None = None
) -> pd.DataFrame:
    """Predicts every image of a split, or reads what an earlier call has written.

    Args:
      run: the run; `model.keras` must be there.
      split: `train`, `validation` or `test`.
      model: the network of `model.keras`, where it is loaded already.
      path: CSV file that the rows are kept in; that of the run's own split if not given.

    Returns:
      One row an image, in dataset order: the dataset's metadata (`label` as an integer, `image_id`,
      `group_id`, ...), `target` (1 for the positive class or finding, 0, or -1 where the policy leaves it out),
      `probability` of the positive class, `p_<output>` by each output of the network, `uncalibrated`, the
      probability of the positive class before the run's temperature, and `logit_<output>`, before it too. For
      findings also `t_<finding>`, the target of each; for a fusion also each likelihood of its parts by name. With an
      input gate also `ood_score`, above 1 where it would refuse the image; none is left out here. Of a method that
      answers bags, all images of a group have the answer to their group.

    Raises:
      CtcovError: model or dataset is missing, or the network's outputs are not finite.
    """
    if not run.model_file.is_file():
        raise errors.CtcovError(f"{run.model_file}: missing: finish the run with train.py --resume {run.path}")
    path, fingerprint = path or run.predictions_file(split), _fingerprint(run)
    origin = path.with_suffix(".json")
    kept = _read_origin(origin)
    if path.is_file() and kept.get("fingerprint") == fingerprint:
        predictions = pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(kept["texts"], str))
        if kept.get("temperature") == run.temperature:
            return predictions
    else:
        predictions = _predict(run, split, model or run.load_model())

    predictions = with_temperature(predictions, run.labels, run.temperature)
    origin.unlink(missing_ok=True)
    with files.atomic_path(path) as written:
        predictions.to_csv(written, index=False)
    texts = [name for name in predictions if not pd.api.types.is_numeric_dtype(predictions[name])]
    files.write_json(
        origin,
        {
            "fingerprint": fingerprint,
            "temperature": run.temperature,
            "images": len(predictions),
            "texts": texts,
        },
    )
    return predictions


def with_temperature(predictions: pd.DataFrame, labels: Labels, value: float) -> pd.DataFrame:
    """Probabilities under a temperature.

    Args:
      predictions: rows with `logit_<output>`.
      labels: what the outputs mean.
      value: the temperature, above 0.

    Returns:
      The rows with `probability`, `uncalibrated` and `p_<output>`, set anew.
    """
    logits = logits_of(predictions, labels)
    before = temperature.probabilities(logits, exclusive=labels.exclusive)
    after = temperature.probabilities(logits, exclusive=labels.exclusive, temperature=value)
    return predictions.assign(
        probability=scores.positive_probability(after, labels),
        uncalibrated=scores.positive_probability(before, labels),
        **{f"p_{name}": after[:, index] for index, name in enumerate(labels.outputs)},
    )


def logits_of(predictions: pd.DataFrame, labels: Labels) -> npt.NDArray:
    """The logits in a table of predictions, (n, outputs) float64."""
    return predictions[[f"logit_{name}" for name in labels.outputs]].to_numpy(float)


def with_targets(run: RunDirectory, images: pd.DataFrame) -> pd.DataFrame:
    """Adds what the network is to answer.

    Args:
      run: the run.
      images: rows of the dataset's metadata.

    Returns:
      The rows with `target` and, for findings, `t_<finding>`: 1, 0, or -1 where the policy leaves it out.
    """
    targets = contents.targets(run.config.data, run.labels, images).astype(int)
    found = images.assign(target=targets[:, run.labels.positive_output])
    if run.labels.head == "findings":
        found = found.assign(**{f"t_{name}": targets[:, index] for index, name in enumerate(run.labels.outputs)})
    return found


def _predict(run: RunDirectory, split: str, model: keras.Model) -> pd.DataFrame:
    metadata = contents.metadata(run.config.data, split).reset_index(drop=True)
    batches = input_pipeline.evaluation_batches(run.config, run.labels, split, batch_size=BATCH_SIZE)

    arrays = run.load_gate() if run.calibration_file.is_file() else None
    gate = input_gate.on(model, arrays)
    answers_to = tf.function(scores.Answers(model, run.labels, run.parts, gate).raw, reduce_retracing=True)
    others = [name for part in run.parts for name in part.likelihoods] + (["ood_score"] if gate else [])
    names = [*(f"logit_{name}" for name in run.labels.outputs), *others]
    rows = []
    with Bar(total=len(metadata), desc=f"predict {split}", unit="image") as bar:
        for images, _ in batches:
            found = answers_to(images)
            rows.append(np.column_stack([found["logits"], *map(found.get, others)]))
            bar.update(len(rows[-1]))
    answers = np.concatenate([np.zeros((0, len(names))), *rows])
    if bag_pipeline.slices_of(run.config) > 1:
        answers[:, : len(run.labels.outputs)] = _of_groups(run, split, model, metadata["group_id"].to_numpy(str))
    broken = int(np.sum(~np.isfinite(answers).all(axis=1)))
    if broken:
        raise errors.CtcovError(
            f"{run.model_file}: gives no finite probability for {broken} of {len(metadata)} images of {split}: "
            "its training diverged; train again with a lower --learning-rate"
        )
    return pd.concat([with_targets(run, metadata), pd.DataFrame(answers, columns=names)], axis=1)


def _of_groups(run: RunDirectory, split: str, model: keras.Model, group_ids: npt.NDArray) -> npt.NDArray:
    """Logits (images, outputs) of the bag of each image's group."""
    assert isinstance(run.config.model, BaselineConfig)
    form = bags.bag_form(run.config.model, model, bag_pipeline.slices_of(run.config))
    answer = tf.function(lambda images: form(images, training=False), reduce_retracing=True)
    logits = [answer(images).numpy() for images, _ in bag_pipeline.evaluation_bags(run.config, run.labels, split)]
    return np.concatenate(logits)[np.searchsorted(bag_pipeline.groups_of(run.config.data, split).names, group_ids)]


def _gate_sha256(run: RunDirectory) -> str | None:
    """Of the gate that belongs to the run's calibration, where there is one."""
    info = run.model_info().gate if run.calibration_file.is_file() else None
    return info.sha256 if info else None


def _fingerprint(run: RunDirectory) -> str:
    """Hash of all that the rows depend on but the temperature: weights, pre-processing, images, positives, gate."""
    with run.model_file.open("rb") as model_file:
        digest = hashlib.file_digest(model_file, "sha256")
    data = run.config.data
    rest = [
        FORMAT,
        dataclasses.asdict(run.config.preprocess),
        run.manifest,
        dataclasses.asdict(run.labels),
        [data.uncertain, data.unmentioned],
        _gate_sha256(run),
    ]
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return digest.hexdigest()


def _read_origin(origin: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(origin.read_text(encoding="utf-8"))
        return content if isinstance(content.get("texts"), list) else {}
    except (OSError, ValueError, AttributeError):
        return {}
