"""A training (section 4.2): from a configuration to a run directory."""

import dataclasses
import pathlib

import keras
import tensorflow as tf

from ctcov_tf import errors, files, interruption, run_directory
from ctcov_tf.config import Config, TrainConfig
from ctcov_tf.datasets import contents
from ctcov_tf.models import registry, transfer
from ctcov_tf.models.deep_cxr_net import FrozenPart
from ctcov_tf.training import (
    checkpoints,
    checks,
    distillation,
    distribution,
    network,
    precision,
    prototypes,
    stage,
    starting_weights,
    versions,
)
from ctcov_tf.training import parts as parts_lib


def create_run(preset: str, config: Config, path: pathlib.Path) -> run_directory.RunDirectory:
    """Makes a run directory for a run that has not begun.

    Args:
      preset: name of the preset.
      config: the resolved configuration.
      path: where; must not exist.

    Returns:
      The run, with its `config.json` written; by the chief, where several workers train.

    Raises:
      CtcovError: the folder exists, the dataset is unknown or not built, a part that is to be fused, a teacher or
        the run to start from does not fit, or settings contradict each other.
    """
    chief = distribution.task(config.train.distribution_strategy).chief
    if chief and path.exists():
        raise errors.CtcovError(f"{path}: exists: choose another --run-dir, or go on with it by --resume {path}")
    checks.check(config)
    config = starting_weights.resolve(config)
    config = dataclasses.replace(
        config, train=dataclasses.replace(config.train, precision=precision.resolve(config.train.precision))
    )
    labels = contents.labels_of(config.data, config.model.head)
    run = run_directory.RunDirectory(
        path=path,
        preset=preset,
        config=config,
        labels=labels,
        manifest=contents.manifest(config.data),
        versions=versions.versions(),
        parts=tuple(part.info for part in parts_lib.load(config)),
        started_from=starting_weights.record(config, len(labels.outputs)),
    )
    distillation.load(run)
    if chief:
        with files.atomic_path(path) as written:
            dataclasses.replace(run, path=written).save()
    return run


def train(run: run_directory.RunDirectory) -> bool:
    """Trains the run from its beginning or from its last whole epoch, and writes `model.keras`.

    Stages before the last train at their own image size and hand their weights on; the epoch that is kept, the best
    by validation AUC or the last, is one of the last stage. Ctrl-C, or SIGTERM, ends training between two batches and
    keeps the best epoch so far. Where several workers train, the chief alone writes. Networks of prototypes have
    neither epochs nor stages (`prototypes.fit`).

    Args:
      run: a run that `create_run` made; what it holds already is not trained again.

    Returns:
      Whether training reached its end; False after Ctrl-C or SIGTERM.

    Raises:
      CtcovError: the configuration cannot be trained here, or was interrupted before the first epoch
        of the last stage ended, or another worker has stopped.
    """
    if run.model_file.is_file() and not run.checkpoints.exists():
        return True  # trained to its end, and stopped before its threshold was chosen
    with interruption.handled():
        return _train(run)


def _train(run: run_directory.RunDirectory) -> bool:
    config = run.config
    task = distribution.task(config.train.distribution_strategy)
    for folder in (run.path, run.checkpoints):
        if task.chief:
            files.remove_leftovers(folder)
    if prototypes.learns_by(config.model):
        keras.utils.set_random_seed(config.train.seed)
        prototypes.fit(run)
        return True
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()

    stages = [*config.train.early_stages, (config.preprocess.image_size, config.train.epochs)]
    finished = True
    try:
        parts = _parts(run)
        soft_targets = distillation.soft_targets(run, distillation.load(run))
        weights_from = _initial_model(config.train)
        first_epoch = 0
        for index, (image_size, epochs) in enumerate(stages):
            one = stage.Stage(run, index, image_size, first_epoch, epochs, parts, soft_targets)
            weights_from = stage.train(one, weights_from)
            first_epoch += epochs
    except KeyboardInterrupt:
        finished = False
    except tf.errors.OpError as error:
        if task.workers == 1:
            raise
        raise errors.CtcovError(
            f"{run.path}: another worker has stopped ({type(error).__name__}): start all workers again with "
            f"--resume {run.path}: they go on after the last whole epoch"
        ) from error
    if task.chief:
        _save_best(run)
        if finished:
            files.remove_folder(run.checkpoints)
    return finished


def _parts(run: run_directory.RunDirectory) -> tuple[FrozenPart, ...]:
    """The parts of the run, as they were when it began."""
    parts = parts_lib.load(run.config)
    for then, now in zip(run.parts, parts, strict=True):
        if then != now.info:
            raise errors.CtcovError(
                f"{then.name}: has changed since {run.path} began with it: put the run back that was there, "
                "or train a new run over this one"
            )
    return parts


def _initial_model(config: TrainConfig) -> keras.Model | None:
    return run_directory.load_any(config.init_from).load_model() if config.init_from else None


def _save_best(run: run_directory.RunDirectory) -> None:
    """Writes the best epoch's weights as a float32 model that loads without the training code."""
    best = run.checkpoints / stage.BEST
    if not best.is_file():
        if run.model_file.is_file():
            return
        raise errors.CtcovError(
            f"{run.path}: interrupted before the first epoch of the last stage ended: go on with --resume {run.path}"
        )
    config, parts = registry.without_weights(run.config.model), _parts(run)
    trained = network.trained(run, config, run.config.preprocess.image_size, parts)
    checkpoints.load(best, trained.weights)
    model = registry.build(config, run.config.preprocess.image_size, len(run.labels.outputs), parts)
    transfer.transfer_weights(trained, model)
    with files.atomic_path(run.model_file) as written:
        model.save(written)
