"""Distillation (arXiv 1503.02531): targets between the labels and what trained networks say of the training images."""

from collections.abc import Sequence
import dataclasses

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import errors, input_pipeline, interruption, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.models import scores
from ctcov_tf.run_directory import RunDirectory


def load(run: RunDirectory) -> list[RunDirectory]:
    """The teachers that a run names.

    Args:
      run: the run that learns from them.

    Returns:
      Their runs; none where it names none.

    Raises:
      CtcovError: a teacher is missing or not finished, has other outputs, or was trained on images that validate or
        test this run.
    """
    config = run.config.train
    if config.teachers and not 0 < config.teacher_share <= 1:
        raise errors.CtcovError(f"--teacher-share {config.teacher_share:g}: is not above 0 and at most 1")
    teachers = [run_directory.load(path) for path in config.teachers]
    for teacher in teachers:
        if not teacher.calibration_file.is_file():
            raise errors.CtcovError(f"teacher {teacher.path}: is not finished: train.py --resume {teacher.path}")
        if (teacher.labels.outputs, teacher.labels.exclusive) != (run.labels.outputs, run.labels.exclusive):
            raise errors.CtcovError(
                f"teacher {teacher.path}: answers for {', '.join(teacher.labels.outputs)} ({teacher.labels.head}), "
                f"this run for {', '.join(run.labels.outputs)} ({run.labels.head}): name a run of the same head"
            )
        _check_images(run, teacher)
    return teachers


def soft_targets(run: RunDirectory, teachers: Sequence[RunDirectory]) -> npt.NDArray | None:
    """What a run is to answer for its training images: labels and teachers, each in its share.

    Every teacher sees an image without augmentation, as it was itself trained to see it; one that was trained on
    mirrored images sees them mirrored too, and answers with the mean. Its probabilities are calibrated.

    Args:
      run: the run that learns.
      teachers: what `load` gives.

    Returns:
      (training images, outputs) float32 in [0, 1], in dataset order; what the labels leave out of the loss, of
      findings, stays `contents.MASKED`. None without teachers.

    Raises:
      CtcovError: the dataset or a teacher cannot be read.
    """
    if not teachers:
        return None
    hard = contents.targets(run.config.data, run.labels, contents.metadata(run.config.data, "train"))
    said = np.mean([_probabilities(run, teacher) for teacher in teachers], axis=0)
    share = run.config.train.teacher_share
    return np.where(hard < 0, hard, (1 - share) * hard + share * said).astype(np.float32)


def _check_images(run: RunDirectory, teacher: RunDirectory) -> None:
    """Holds a teacher from the same builder to have trained on no image that judges the run."""
    if found := contents.learnt_and_judging(teacher.config.data, run.config.data):
        image, split = found
        raise errors.CtcovError(
            f"teacher {teacher.path}: was trained on image {image}, which is in the {split} part here: "
            "name a teacher of the same --dataset and --fold"
        )


def _probabilities(run: RunDirectory, teacher: RunDirectory) -> npt.NDArray:
    network = teacher.load_calibrated_model()

    @tf.function(reduce_retracing=True)
    def answer(images: tf.Tensor) -> tf.Tensor:
        return scores.probabilities(network(images, training=False), teacher.labels)

    seen = dataclasses.replace(run.config, preprocess=teacher.config.preprocess)
    batches = interruption.steps(input_pipeline.evaluation_batches(seen, run.labels, "train"))
    if not teacher.config.augment.flip:
        return np.concatenate([answer(images).numpy() for images, _ in batches])
    return np.concatenate(
        [(answer(images) + answer(tf.image.flip_left_right(images))).numpy() / 2 for images, _ in batches]
    )
