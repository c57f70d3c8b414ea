"""Compile, fit and resume (section 4.2): from a configuration to a run directory."""

from collections.abc import Sequence
import dataclasses
import pathlib
import sys
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf import bag_pipeline, errors, files, input_pipeline, run_directory
from ctcov_tf.config import BaselineConfig, Config, DeepCXRNetConfig, ModelConfig, TrainConfig
from ctcov_tf.datasets import contents
from ctcov_tf.models import deep_cxr_net, registry, transfer
from ctcov_tf.models.baselines import bags
from ctcov_tf.models.baselines.baseline import trained_form
from ctcov_tf.models.deep_cxr_net import FrozenPart
from ctcov_tf.training import (
    callbacks,
    checkpoints,
    distillation,
    distribution,
    head_losses,
    likelihoods,
    optimization,
    precision,
    prototypes,
    starting_weights,
    versions,
)
from ctcov_tf.training import parts as parts_lib

_BEST = "best.npz"


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
    _check(config)
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


def _check(config: Config) -> None:
    if config.train.teachers and getattr(config.model, "slices", 1) > 1:
        raise errors.CtcovError(
            "--teachers: they answer for single images, this run learns from bags: choose --slices 1"
        )
    if config.data.task == "rotation" and config.augment.flip:
        raise errors.CtcovError("--flip: a mirrored quarter turn looks like the other one: leave it out of this task")
    if config.model.head == "findings" and config.train.class_weights:
        raise errors.CtcovError("--class-weights: findings do not exclude each other, they have no class to weight")
    if isinstance(config.model, BaselineConfig):
        _check_slices(config.model)
    if not 0 < config.augment.crop <= 1:
        raise errors.CtcovError(f"--crop {config.augment.crop}: is no share of an area: choose it from above 0 to 1")
    if not config.train.first_layer_rate > 0:
        raise errors.CtcovError(f"--first-layer-rate {config.train.first_layer_rate}: choose it above 0")
    if _computes_on_the_fly(config.model) and config.train.early_stages:
        raise errors.CtcovError(
            "--likelihoods on_the_fly: the parts take images of their own size only: leave out --early-stages, "
            "or choose --likelihoods cached"
        )
    if config.train.distribution_strategy != "one_device":
        if config.train.accumulate > 1:
            raise errors.CtcovError(
                "--accumulate: gathers steps on one device only: leave it out, more devices hold a larger --batch-size"
            )
        if bag_pipeline.slices_of(config) > 1:
            raise errors.CtcovError(
                "--slices: bags are trained on one device only: choose --slices 1 for single images"
            )
        if _computes_on_the_fly(config.model):
            raise errors.CtcovError(
                "--likelihoods on_the_fly: is computed on one device only: choose --likelihoods cached"
            )


def _check_slices(model: BaselineConfig) -> None:
    if model.slices < 1:
        raise errors.CtcovError(f"--slices {model.slices}: a bag has at least one slice: choose 1 for single images")
    if model.slices > 1 and model.method not in bags.METHODS:
        raise errors.CtcovError(
            f"--slices {model.slices}: {model.method} answers single images: choose --slices 1, "
            f"or a method of {', '.join(bags.METHODS)}"
        )


def train(run: run_directory.RunDirectory) -> bool:
    """Trains the run from its beginning or from its last whole epoch, and writes `model.keras`.

    Stages before the last train at their own image size and hand their weights on; the best epoch by
    validation AUC is chosen among those of the last stage. Ctrl-C ends training early and keeps the
    best epoch so far. Where several workers train, the chief alone writes. Networks of prototypes have neither epochs
    nor stages (`prototypes.fit`).

    Args:
      run: a run that `create_run` made; what it holds already is not trained again.

    Returns:
      Whether training reached its end; False after Ctrl-C.

    Raises:
      CtcovError: the configuration cannot be trained here, or was interrupted before the first epoch
        of the last stage ended, or another worker has stopped.
    """
    if run.model_file.is_file() and not run.checkpoints.exists():
        return True  # trained to its end, and stopped before its threshold was chosen
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
            weights_from = _train_stage(run, index, image_size, first_epoch, epochs, weights_from, parts, soft_targets)
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


def _train_stage(
    run: run_directory.RunDirectory,
    index: int,
    image_size: int,
    first_epoch: int,
    epochs: int,
    weights_from: keras.Model | None,
    parts: Sequence[FrozenPart],
    soft_targets: npt.NDArray | None,
) -> keras.Model:
    """Trains one stage, or reads it where an earlier call finished it; returns the model at its end."""
    config, train_config = run.config, run.config.train
    last = index == len(train_config.early_stages)
    end_epoch = first_epoch + epochs
    strategy = distribution.strategy(train_config.distribution_strategy)
    task = distribution.task(train_config.distribution_strategy)
    states, best_file = checkpoints.States(run.checkpoints, index), run.checkpoints / _BEST
    state_file = states.newest(discard=task.chief) if not last or _has_best(best_file, states, task.chief) else None

    keras.utils.set_random_seed(_stage_seed(train_config.seed, index))
    filled_later = weights_from is not None or state_file is not None
    model_config = registry.without_weights(config.model) if filled_later else config.model
    slices = bag_pipeline.slices_of(config)
    examples = run.manifest["splits"]["train"]["groups" if slices > 1 else "images"]
    steps = max(1, examples // train_config.batch_size)
    loss = head_losses.over_heads(config.model, optimization.make_loss(train_config, run.labels), run.labels)
    with strategy.scope():
        keras.config.set_dtype_policy(precision.resolve(train_config.precision))
        try:
            model = _trained_network(run, model_config, image_size, parts)
        finally:
            keras.config.set_dtype_policy("float32")
        if weights_from is not None:
            transfer.transfer_weights(weights_from, model)
        rates = optimization.layer_rates(model, train_config.first_layer_rate)
        optimizer = optimization.make_optimizer(train_config, steps, first_epoch, rates)
        model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
        state = checkpoints.state(model)
    start_epoch = checkpoints.load(state_file, state) if state_file else first_epoch
    distribution.check_same(train_config.distribution_strategy, start_epoch, "epochs that are trained already")
    history = callbacks.History(run.history_file, start_epoch)
    past = history.past("val_auc", first_epoch)
    waited = callbacks.epochs_without_better(past)
    if start_epoch == end_epoch or (last and train_config.patience and waited >= train_config.patience):
        model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` ends
        return model
    known: dict[str, npt.NDArray] = {}
    if parts and not _computes_on_the_fly(config.model):
        known = {split: likelihoods.of_split(run, split, parts, task.chief) for split in ("train", "validation")}
    if slices > 1:
        validation = bag_pipeline.evaluation_bags(config, run.labels, "validation", image_size=image_size).cache()
    else:
        validation = input_pipeline.evaluation_batches(
            config, run.labels, "validation", image_size=image_size, likelihoods=known.get("validation")
        ).cache()
    replicas = strategy.num_replicas_in_sync
    callback_list = [
        callbacks.EpochSeeds(train_config.seed),
        *([callbacks.AveragedStatistics()] if replicas > 1 else []),
        callbacks.Validation(validation, run.labels, loss),
        callbacks.LearningRateLog(image_size),
    ]
    if last and task.chief:
        callback_list.append(callbacks.BestWeights(best_file, past))
    if last and train_config.patience:
        callback_list.append(callbacks.ResumableEarlyStopping(past, train_config.patience))
    if task.chief:
        callback_list += [
            history,
            keras.callbacks.TensorBoard(str(run.logs), write_graph=False),
            keras.callbacks.ProgbarLogger(),
            checkpoints.SaveState(states),
        ]
    shared = f", a batch shared by {replicas} devices" if replicas > 1 else ""
    print(f"stage {index + 1}: {image_size} px, epochs {first_epoch + 1} to {end_epoch}, {steps} steps each{shared}")

    def batches(worker: int = 0, workers: int = 1) -> tf.data.Dataset:
        given: dict[str, Any] = {
            "image_size": image_size,
            "batch_size": train_config.batch_size,
            "start_epoch": start_epoch,
        }
        if slices > 1:
            found = bag_pipeline.training_bags(config, run.labels, **given)
        else:
            found = input_pipeline.training_batches(
                config,
                run.labels,
                likelihoods=known.get("train"),
                targets=soft_targets,
                replicas=replicas,
                worker=worker,
                workers=workers,
                **given,
            )
        return input_pipeline.weighted(found, _class_weights(run)) if train_config.class_weights else found

    verbose = 0 if not task.chief else 1 if sys.stdout.isatty() else 2
    if replicas > 1:
        trained = range(start_epoch, end_epoch)
        distribution.fit(model, batches, steps=steps, epochs=trained, callbacks=callback_list, verbose=verbose)
        return model
    model.fit(
        batches(),
        shuffle=False,
        verbose=verbose,
        steps_per_epoch=steps,
        initial_epoch=start_epoch,
        epochs=end_epoch,
        callbacks=callback_list,
    )
    return model


def _stage_seed(seed: int, index: int) -> int:
    """A stage's seed: what it draws does not hang on whether the stages before it ran in this process."""
    return seed if index == 0 else int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


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


def _trained_network(
    run: run_directory.RunDirectory, config: ModelConfig, image_size: int, parts: Sequence[FrozenPart]
) -> keras.Model:
    """The network that training runs: without the frozen parts where their likelihoods are given to it.

    Where heads have losses of their own, they stand behind the logits; methods that answer bags have theirs.
    """
    outputs = len(run.labels.outputs)
    if isinstance(config, DeepCXRNetConfig) and not _computes_on_the_fly(config):
        given = sum(len(part.info.likelihoods) for part in parts)
        return deep_cxr_net.fusion(config, image_size, outputs, likelihoods=given)
    model = registry.build(config, image_size, outputs, parts)
    if not isinstance(config, BaselineConfig):
        return model
    slices = bag_pipeline.slices_of(run.config)
    return bags.bag_form(config, model, slices) if slices > 1 else trained_form(config, model)


def _computes_on_the_fly(config: ModelConfig) -> bool:
    return isinstance(config, DeepCXRNetConfig) and config.likelihoods == "on_the_fly" and config.parts != "none"


def _initial_model(config: TrainConfig) -> keras.Model | None:
    return run_directory.load(config.init_from).load_model() if config.init_from else None


def _class_weights(run: run_directory.RunDirectory) -> dict[int, float]:
    """Weight of each target index: images over (classes times images of the class)."""
    by_class = run.manifest["splits"]["train"]["by_class"]
    counts = np.array([by_class[name] for name in run.labels.class_names], dtype=float)
    if run.labels.head == "binary":
        positive = counts[run.labels.positive_index]
        counts = np.array([counts.sum() - positive, positive])
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1.0))
    return {index: float(weight) for index, weight in enumerate(weights)}


def _save_best(run: run_directory.RunDirectory) -> None:
    """Writes the best epoch's weights as a float32 model that loads without the training code."""
    best = run.checkpoints / _BEST
    if not best.is_file():
        if run.model_file.is_file():
            return
        raise errors.CtcovError(
            f"{run.path}: interrupted before the first epoch of the last stage ended: go on with --resume {run.path}"
        )
    config, parts = registry.without_weights(run.config.model), _parts(run)
    trained = _trained_network(run, config, run.config.preprocess.image_size, parts)
    checkpoints.load(best, trained.weights)
    model = registry.build(config, run.config.preprocess.image_size, len(run.labels.outputs), parts)
    transfer.transfer_weights(trained, model)
    with files.atomic_path(run.model_file) as written:
        model.save(written)
