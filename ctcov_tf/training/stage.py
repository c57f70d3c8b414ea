"""One stage of a training (section 4.2): all epochs at one image size, from the first or from where a run stopped."""

from collections.abc import Sequence
import dataclasses
import functools
import pathlib
import sys
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import bag_pipeline, errors, input_pipeline, interruption
from ctcov_tf.config import TrainConfig
from ctcov_tf.models import registry, transfer
from ctcov_tf.models.deep_cxr_net import FrozenPart
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.training import (
    callbacks,
    checkpoints,
    distribution,
    head_losses,
    likelihoods,
    network,
    optimization,
    precision,
    probe,
)

BEST = "best.npz"
"""Weights of the best epoch of the last stage, among a run's checkpoints."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """What is trained in a stage, and on what.

    Attributes:
      run: the run.
      index: number of the stage, from 0.
      image_size: side of its images, pixels.
      first_epoch: number of its first epoch in the run.
      epochs: how many it has.
      parts: the frozen parts, of a fusion.
      soft_targets: (training images, outputs) float32, in place of those of the labels; None for these.
    """

    run: RunDirectory
    index: int
    image_size: int
    first_epoch: int
    epochs: int
    parts: Sequence[FrozenPart] = ()
    soft_targets: npt.NDArray | None = None

    @property
    def settings(self) -> TrainConfig:
        """How the run is trained."""
        return self.run.config.train

    @property
    def last(self) -> bool:
        """Whether the best epoch is chosen among those of this stage."""
        return self.index == len(self.settings.early_stages)

    @property
    def end_epoch(self) -> int:
        """Number of the first epoch behind it."""
        return self.first_epoch + self.epochs

    @functools.cached_property
    def slices(self) -> int:
        """Slices of a bag; 1 where single images are trained on."""
        return bag_pipeline.slices_of(self.run.config)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        unit = "groups" if self.slices > 1 else "images"
        examples = sum(one["splits"]["train"][unit] for one in self.run.manifests)
        return max(1, examples // self.settings.batch_size)

    @property
    def seed(self) -> int:
        """Its own seed: what it draws does not hang on whether the stages before it ran in this process."""
        if self.index == 0:
            return self.settings.seed
        return int(np.random.SeedSequence([self.settings.seed, self.index]).generate_state(1)[0])


def train(stage: Stage, weights_from: keras.Model | None) -> keras.Model:
    """Trains a stage; where an earlier call has trained all of its epochs, reads what it left.

    Args:
      stage: what is trained.
      weights_from: model whose weights it begins with; None for those of the configuration.

    Returns:
      The model at the end of the stage.

    Raises:
      CtcovError: it cannot be trained here.
    """
    run, settings = stage.run, stage.settings
    strategy = distribution.strategy(settings.distribution_strategy)
    task = distribution.task(settings.distribution_strategy)
    states, best_file = checkpoints.States(run.checkpoints, stage.index), run.checkpoints / BEST
    sound = not stage.last or _has_best(best_file, states, task.chief)
    state_file = states.newest(discard=task.chief) if sound else None
    with strategy.scope():
        model = _compiled(stage, weights_from, begun=state_file is not None)
        state = checkpoints.state(model)
    start_epoch = checkpoints.load(state_file, state) if state_file else stage.first_epoch
    distribution.check_same(settings.distribution_strategy, start_epoch, "epochs that are trained already")
    history = callbacks.History(run.history_file, start_epoch)
    past = history.past("val_auc", stage.first_epoch)
    waited = callbacks.epochs_without_better(past)
    if start_epoch == stage.end_epoch or (stage.last and settings.patience and waited >= settings.patience):
        model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` ends
        return model
    known = _likelihoods(stage, task.chief)
    replicas = strategy.num_replicas_in_sync
    called = _learning(stage, model, known.get("validation"), replicas)
    if stage.last and task.chief:
        called.append(callbacks.KeptWeights(best_file, past, settings))
    if stage.last and settings.patience:
        called.append(callbacks.ResumableEarlyStopping(past, settings.patience))
    if task.chief:
        called += [
            history,
            keras.callbacks.TensorBoard(str(run.logs), write_graph=False),
            keras.callbacks.ProgbarLogger(),
            checkpoints.SaveState(states),
        ]
    shared = f", a batch shared by {replicas} devices" if replicas > 1 else ""
    print(
        f"stage {stage.index + 1}: {stage.image_size} px, epochs {stage.first_epoch + 1} to {stage.end_epoch}, "
        f"{stage.steps} steps each{shared}"
    )
    verbose = 0 if not task.chief else 1 if sys.stdout.isatty() else 2

    def batches(worker: int = 0, workers: int = 1) -> tf.data.Dataset:
        return _batches(stage, start_epoch, known.get("train"), replicas, worker, workers)

    with interruption.between_steps():
        if replicas > 1:
            epochs = range(start_epoch, stage.end_epoch)
            distribution.fit(model, batches, steps=stage.steps, epochs=epochs, callbacks=called, verbose=verbose)
            return model
        model.fit(
            batches(),
            shuffle=False,
            verbose=verbose,
            steps_per_epoch=stage.steps,
            initial_epoch=start_epoch,
            epochs=stage.end_epoch,
            callbacks=called,
        )
    return model


def class_weights(run: RunDirectory) -> dict[int, float]:
    """Weight of each target index: images over (classes times images of the class).

    Args:
      run: counts and labels.
    """
    by_class = run.manifest["splits"]["train"]["by_class"]
    counts = np.array([by_class[name] for name in run.labels.class_names], dtype=float)
    if run.labels.head == "binary":
        positive = counts[run.labels.positive_index]
        counts = np.array([counts.sum() - positive, positive])
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1.0))
    return {index: float(weight) for index, weight in enumerate(weights)}


def _compiled(stage: Stage, weights_from: keras.Model | None, *, begun: bool) -> keras.Model:
    """The network with its optimizer and loss; where the stage has begun, its weights will be read."""
    run, settings = stage.run, stage.settings
    keras.utils.set_random_seed(stage.seed)
    filled_later = weights_from is not None or begun
    config = registry.without_weights(run.config.model) if filled_later else run.config.model
    keras.config.set_dtype_policy(precision.resolve(settings.precision))
    try:
        model = network.trained(run, config, stage.image_size, stage.parts)
    finally:
        keras.config.set_dtype_policy("float32")
    if weights_from is not None:
        transfer.transfer_weights(weights_from, model)
    rates = optimization.layer_rates(model, settings.first_layer_rate)
    model.compile(
        optimizer=optimization.make_optimizer(settings, stage.steps, stage.first_epoch, rates),
        loss=_loss(run),
        jit_compile=False,
    )
    return model


def _loss(run: RunDirectory) -> keras.losses.Loss | None:
    """None where the network holds its loss itself."""
    if run.pretraining:
        return None
    return head_losses.over_heads(run.config.model, optimization.make_loss(run.config.train, run.labels), run.labels)


def _likelihoods(stage: Stage, chief: bool) -> dict[str, npt.NDArray]:
    """What frozen parts say of training and validation images; empty where nobody needs it beforehand."""
    if not stage.parts or network.computes_on_the_fly(stage.run.config.model):
        return {}
    return {split: likelihoods.of_split(stage.run, split, stage.parts, chief) for split in ("train", "validation")}


def _learning(
    stage: Stage, model: keras.Model, known: npt.NDArray | None, replicas: int
) -> list[keras.callbacks.Callback]:
    """What is done with every epoch, whoever trains it: seeds, statistics, validation."""
    return [
        callbacks.Interruption(),
        callbacks.EpochSeeds(stage.settings.seed),
        *([callbacks.AveragedStatistics()] if replicas > 1 else []),
        _validation(stage, model, known),
        callbacks.LearningRateLog(stage.image_size),
    ]


def _validation(stage: Stage, model: keras.Model, known: npt.NDArray | None) -> keras.callbacks.Callback:
    """What gives each epoch its `val_auc`."""
    config, labels, image_size = stage.run.config, stage.run.labels, stage.image_size
    if stage.slices > 1:
        validation = bag_pipeline.evaluation_bags(config, labels, "validation", image_size=image_size)
    else:
        validation = input_pipeline.evaluation_batches(
            config, labels, "validation", image_size=image_size, likelihoods=known
        )
    if stage.run.pretraining:
        train = input_pipeline.evaluation_batches(config, labels, "train", image_size=image_size)
        return probe.Probe(train.cache(), validation.cache(), labels)
    return callbacks.Validation(validation.cache(), labels, model.loss)


def _batches(
    stage: Stage, start_epoch: int, known: npt.NDArray | None, replicas: int, worker: int, workers: int
) -> tf.data.Dataset:
    """The training batches of a worker, from an epoch on."""
    run, settings = stage.run, stage.settings
    given: dict[str, Any] = {
        "image_size": stage.image_size,
        "batch_size": settings.batch_size,
        "start_epoch": start_epoch,
    }
    if run.pretraining:
        return input_pipeline.view_batches(run.config, **given)
    if stage.slices > 1:
        found = bag_pipeline.training_bags(run.config, run.labels, **given)
    else:
        found = input_pipeline.training_batches(
            run.config,
            run.labels,
            likelihoods=known,
            targets=stage.soft_targets,
            replicas=replicas,
            worker=worker,
            workers=workers,
            **given,
        )
    return input_pipeline.weighted(found, class_weights(run)) if settings.class_weights else found


def _has_best(path: pathlib.Path, states: checkpoints.States, discard: bool) -> bool:
    """Whether the best weights of the last stage are sound where it has begun; if not, it begins anew."""
    if not states.paths():
        return True
    try:
        checkpoints.check(path)
        return True
    except checkpoints.Damaged as error:
        if discard:
            print(f"{errors.one_line(error)}: the stage begins anew", file=sys.stderr)
            states.remove()
            path.unlink(missing_ok=True)
        return False
