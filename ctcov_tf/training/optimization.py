"""What training minimises and how: loss, optimizer, and learning rate across stages of image size."""

from collections.abc import Mapping
import math
from typing import Any

import keras
from keras import ops

from ctcov_tf.config import TrainConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.training.fused_adam import FusedAdam


@keras.saving.register_keras_serializable(package="ctcov_tf")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from zero over the warm-up, then stays or falls to zero on a half cosine.

    Each stage of a run has an optimizer of its own, which counts from zero; `first_step` says where in
    the run the stage begins.

    Args:
      peak: learning rate at the end of the warm-up.
      total_steps: steps of the whole run.
      warmup_steps: steps of the warm-up.
      cosine: whether it falls after the warm-up.
      first_step: steps of the run before this optimizer's first.
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int = 0, cosine: bool = False, first_step: int = 0):
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.cosine = cosine
        self.first_step = first_step

    def __call__(self, step: Any) -> Any:
        """The learning rate of the optimizer's step `step`, float32 scalar."""
        step = ops.cast(step, "float32") + float(self.first_step)
        rate = ops.full_like(step, self.peak)
        if self.cosine:
            decay_steps = max(1, self.total_steps - self.warmup_steps)
            progress = ops.clip((step - float(self.warmup_steps)) / float(decay_steps), 0.0, 1.0)
            rate = rate * 0.5 * (1.0 + ops.cos(math.pi * progress))
        if self.warmup_steps:
            rate = ops.where(step < self.warmup_steps, self.peak * (step + 1.0) / float(self.warmup_steps), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "cosine": self.cosine,
            "first_step": self.first_step,
        }


@keras.saving.register_keras_serializable(package="ctcov_tf")
class MaskedBinaryLoss(keras.losses.Loss):
    """Binary cross-entropy, or its focal form, of each finding for itself; masked ones count nothing.

    Each finding that is known weighs the same: the sum over those of an image is divided by the number of
    all findings.

    Args:
      focal: whether the focal form is taken.
      label_smoothing: share of the target spread over both states.
    """

    def __init__(self, focal: bool = False, label_smoothing: float = 0.0, name: str = "masked_binary_loss"):
        super().__init__(name=name)
        self.focal = focal
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image, (batch,).

        Args:
          y_true: (batch, findings) float: 1, 0, or below 0 where masked.
          y_pred: (batch, findings) logits.
        """
        known = ops.cast(y_true >= 0, y_pred.dtype)
        loss = keras.losses.binary_focal_crossentropy if self.focal else keras.losses.binary_crossentropy
        each = loss(
            ops.expand_dims(ops.maximum(y_true, 0.0), -1),
            ops.expand_dims(y_pred, -1),
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )
        return ops.mean(known * each, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"focal": self.focal, "label_smoothing": self.label_smoothing, "name": self.name}


def make_loss(config: TrainConfig, labels: Labels) -> keras.losses.Loss:
    """The loss on logits: binary for one output and for findings, categorical for one output a class.

    Args:
      config: loss, label smoothing.
      labels: what the logits mean.
    """
    if labels.head == "findings":
        return MaskedBinaryLoss(focal=config.loss == "focal", label_smoothing=config.label_smoothing)
    settings = {"from_logits": True, "label_smoothing": config.label_smoothing}
    if labels.head == "binary":
        binary = {"cross_entropy": keras.losses.BinaryCrossentropy, "focal": keras.losses.BinaryFocalCrossentropy}
        return binary[config.loss](**settings)
    categorical = {
        "cross_entropy": keras.losses.CategoricalCrossentropy,
        "focal": keras.losses.CategoricalFocalCrossentropy,
    }
    return categorical[config.loss](**settings)


def layer_rates(model: keras.Model, first: float) -> dict[str, float]:
    """Learning rates that rise from layer to layer in equal ratios, as fine-tuning asks for (arXiv 1801.06146).

    Args:
      model: functional model; one that is a layer of it is taken layer by layer.
      first: rate of the first layer over that of the last, above 0.

    Returns:
      Share of the last layer's rate by the path of each trainable variable; empty where `first` is 1.
    """
    if first == 1:
        return {}
    flat = [one for layer in model.layers for one in (layer.layers if isinstance(layer, keras.Model) else [layer])]
    layers = [layer for layer in flat if layer.trainable_weights]
    shares = [first ** (1 - index / max(1, len(layers) - 1)) for index in range(len(layers))]
    return {
        variable.path: share
        for layer, share in zip(layers, shares, strict=True)
        for variable in layer.trainable_weights
    }


def make_optimizer(
    config: TrainConfig, steps_per_epoch: int, first_epoch: int = 0, rates: Mapping[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """Adam (section 4.2) or AdamW, with schedule, moving average and gradient accumulation.

    Args:
      config: the optimizer's settings.
      steps_per_epoch: steps an epoch.
      first_epoch: epochs of the run before this optimizer's first step.
      rates: what `layer_rates` gave.
    """
    total_epochs = config.epochs + sum(epochs for _, epochs in config.early_stages)
    total_steps = total_epochs * steps_per_epoch
    settings = {
        "learning_rate": WarmupSchedule(
            peak=config.learning_rate,
            total_steps=total_steps,
            warmup_steps=round(config.warmup * total_steps),
            cosine=config.schedule == "cosine",
            first_step=first_epoch * steps_per_epoch,
        ),
        "gradient_accumulation_steps": config.accumulate if config.accumulate > 1 else None,
        "use_ema": config.ema_momentum > 0,
        "ema_momentum": config.ema_momentum or 0.99,
    }
    if config.optimizer == "adam":
        optimizer = FusedAdam(**settings)
    else:
        optimizer = FusedAdam(weight_decay=config.weight_decay, **settings)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.rates = rates or {}
    return optimizer
