"""Compile, fit and resume (section 4.2): from a configuration to a run directory."""

from collections.abc import Sequence
import dataclasses
import pathlib
import shutil
import sys

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
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
    head_losses,
    likelihoods,
    optimization,
    precision,
    prototypes,
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
      The run, with its `config.json` written.

    Raises:
      CtcovError: the folder exists, the dataset is unknown or not built, a part that is to be fused does
        not fit, or settings contradict each other.
    """
    if path.exists():
        raise errors.CtcovError(f"{path}: exists: choose another --run-dir, or go on with it by --resume {path}")
    _check(config)
    config = dataclasses.replace(
        config, train=dataclasses.replace(config.train, precision=precision.resolve(config.train.precision))
    )
    run = run_directory.RunDirectory(
        path=path,
        preset=preset,
        config=config,
        labels=contents.labels_of(config.data, config.model.head),
        manifest=contents.manifest(config.data),
        versions=versions.versions(),
        parts=tuple(part.info for part in parts_lib.load(config)),
    )
    run.save()
    return run


def _check(config: Config) -> None:
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
    best epoch so far. Networks of prototypes have neither epochs nor stages (`prototypes.fit`).

    Args:
      run: a run that `create_run` made; what it holds already is not trained again.

    Returns:
      Whether training reached its end; False after Ctrl-C.

    Raises:
      CtcovError: the configuration cannot be trained here, or was interrupted before the first epoch
        of the last stage ended.
    """
    if run.model_file.is_file() and not run.checkpoints.exists():
        return True  # trained to its end, and stopped before its threshold was chosen
    config = run.config
    keras.utils.set_random_seed(config.train.seed)
    if prototypes.learns_by(config.model):
        prototypes.fit(run)
        return True
    if config.train.deterministic:
        tf.config.experimental.enable_op_determinism()

    stages = [*config.train.early_stages, (config.preprocess.image_size, config.train.epochs)]
    finished = True
    try:
        parts = _parts(run)
        weights_from = _initial_model(config.train)
        first_epoch = 0
        for index, (image_size, epochs) in enumerate(stages):
            weights_from = _train_stage(run, index, image_size, first_epoch, epochs, weights_from, parts)
            first_epoch += epochs
    except KeyboardInterrupt:
        finished = False
    _save_best(run)
    if finished:
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    return finished


def _train_stage(
    run: run_directory.RunDirectory,
    index: int,
    image_size: int,
    first_epoch: int,
    epochs: int,
    weights_from: keras.Model | None,
    parts: Sequence[FrozenPart],
) -> keras.Model:
    """Trains one stage, or reads it where an earlier call finished it; returns the model at its end."""
    config, train_config = run.config, run.config.train
    last = index == len(train_config.early_stages)
    state_file = run.checkpoints / f"stage{index}.npz"
    end_file = run.checkpoints / f"stage{index}_end.npz"

    filled_later = weights_from is not None or state_file.is_file() or end_file.is_file()
    model_config = registry.without_weights(config.model) if filled_later else config.model
    keras.config.set_dtype_policy(precision.resolve(train_config.precision))
    try:
        model = _trained_network(run, model_config, image_size, parts)
    finally:
        keras.config.set_dtype_policy("float32")
    if end_file.is_file():
        checkpoints.load(end_file, model.weights)
        return model
    if weights_from is not None:
        transfer.transfer_weights(weights_from, model)

    slices = bag_pipeline.slices_of(config)
    examples = run.manifest["splits"]["train"]["groups" if slices > 1 else "images"]
    steps = max(1, examples // train_config.batch_size)
    loss = head_losses.over_heads(config.model, optimization.make_loss(train_config, run.labels), run.labels)
    rates = optimization.layer_rates(model, train_config.first_layer_rate)
    model.compile(
        optimizer=optimization.make_optimizer(train_config, steps, first_epoch, rates),
        loss=loss,
        jit_compile=False,
    )
    start_epoch = checkpoints.load(state_file, checkpoints.state(model)) if state_file.is_file() else first_epoch
    history = _truncated_history(run, start_epoch)
    past = [] if history is None else history.loc[history["epoch"] >= first_epoch, "val_auc"].tolist()
    known: dict[str, npt.NDArray] = {}
    if parts and not _computes_on_the_fly(config.model):
        known = {split: likelihoods.of_split(run, split, parts) for split in ("train", "validation")}
    if slices > 1:
        validation = bag_pipeline.evaluation_bags(config, run.labels, "validation", image_size=image_size).cache()
        training = bag_pipeline.training_bags(
            config, run.labels, image_size=image_size, batch_size=train_config.batch_size, start_epoch=start_epoch
        )
    else:
        validation = input_pipeline.evaluation_batches(
            config, run.labels, "validation", image_size=image_size, likelihoods=known.get("validation")
        ).cache()
        training = input_pipeline.training_batches(
            config,
            run.labels,
            image_size=image_size,
            batch_size=train_config.batch_size,
            start_epoch=start_epoch,
            likelihoods=known.get("train"),
        )
    callback_list = [
        callbacks.EpochSeeds(train_config.seed),
        callbacks.Validation(validation, run.labels, loss),
        callbacks.LearningRateLog(image_size),
    ]
    if last:
        callback_list.append(callbacks.BestWeights(run.checkpoints / _BEST, past))
        if train_config.patience:
            callback_list.append(callbacks.ResumableEarlyStopping(past, train_config.patience))
    callback_list += [
        keras.callbacks.CSVLogger(str(run.history_file), append=True),
        keras.callbacks.TensorBoard(str(run.logs), write_graph=False),
        keras.callbacks.ProgbarLogger(),
        checkpoints.SaveState(state_file),
    ]
    print(f"stage {index + 1}: {image_size} px, epochs {first_epoch + 1} to {first_epoch + epochs}, {steps} steps each")
    model.fit(
        training,
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
        steps_per_epoch=steps,
        initial_epoch=start_epoch,
        epochs=first_epoch + epochs,
        class_weight=_class_weights(run) if train_config.class_weights else None,
        callbacks=callback_list,
    )
    checkpoints.save(end_file, model.weights, first_epoch + epochs)
    return model


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


def _truncated_history(run: run_directory.RunDirectory, start_epoch: int) -> pd.DataFrame | None:
    """The history of whole epochs before `start_epoch`; rows of a later, lost epoch are dropped."""
    if not run.history_file.is_file():
        return None
    history = pd.read_csv(run.history_file)
    history = history[history["epoch"] < start_epoch]
    files.write_text(run.history_file, history.to_csv(index=False))
    return history


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
