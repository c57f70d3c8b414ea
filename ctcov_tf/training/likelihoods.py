"""What the frozen parts say of every image, computed once: they never change, so neither do their answers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from ctcov_tf import files, input_pipeline
from ctcov_tf.datasets import contents
from ctcov_tf.models import scores
from ctcov_tf.models.deep_cxr_net import FrozenPart
from ctcov_tf.progress import Bar
from ctcov_tf.run_directory import RunDirectory


def of_split(run: RunDirectory, split: str, parts: Sequence[FrozenPart], write: bool = True) -> npt.NDArray:
    """Likelihoods of every image of a split, without augmentation; read where an earlier call has written them.

    Args:
      run: the run that fuses the parts; its `likelihoods/<split>.csv` is written.
      split: `train` or `validation`.
      parts: the parts of the run, at least one.
      write: whether they are written.

    Returns:
      (images, likelihoods) float32 in [0, 1], in dataset order.

    Raises:
      CtcovError: the dataset cannot be read.
    """
    path = run.likelihoods_file(split)
    images = contents.metadata(run.config.data, split)["image_id"]
    names = [name for part in parts for name in part.info.likelihoods]
    if path.is_file():
        kept = pd.read_csv(path, keep_default_na=False, dtype={"image_id": str}, float_precision="round_trip")
        if list(kept.columns) == ["image_id", *names] and kept["image_id"].equals(images):
            return kept[names].to_numpy(np.float32)
    likelihoods = _compute(run, split, parts, len(images))
    table = pd.DataFrame(likelihoods, columns=names)
    table.insert(0, "image_id", images)
    if write:
        with files.atomic_path(path) as written:
            table.to_csv(written, index=False)
    return likelihoods


def _compute(run: RunDirectory, split: str, parts: Sequence[FrozenPart], images: int) -> npt.NDArray:
    @tf.function(reduce_retracing=True)
    def answer(batch: tf.Tensor) -> tf.Tensor:
        return tf.concat(
            [scores.probabilities(part.network(batch, training=False), part.info.labels) for part in parts], axis=1
        )

    answers = []
    with Bar(total=images, desc=f"likelihoods {split}", unit="image") as bar:
        for batch, _ in input_pipeline.evaluation_batches(run.config, run.labels, split):
            answers.append(answer(batch).numpy())
            bar.update(len(batch))
    return np.concatenate(answers)
