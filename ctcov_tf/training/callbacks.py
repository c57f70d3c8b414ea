"""What happens at the end of an epoch beyond Keras' own callbacks."""

from collections.abc import Iterator
import contextlib
import csv
import io
import pathlib
from typing import Any

import keras
import numpy as np
from sklearn import metrics as sklearn_metrics
import tensorflow as tf

from ctcov_tf import errors, files, interruption
from ctcov_tf.config import TrainConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.models import scores
from ctcov_tf.training import checkpoints


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the moving average of the trainable weights in place while the context lasts.

    Args:
      model: a compiled model; without `use_ema` in its optimizer nothing changes.
    """
    if not model.optimizer.use_ema or not model.optimizer.built:
        yield
        return
    trained = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, trained, strict=True):
            variable.assign(value)


def mean_auc(targets: np.ndarray, probabilities: np.ndarray, labels: Labels) -> float:
    """The AUC of the positive class; of findings the mean over those that are known to be both present and absent.

    Args:
      targets: (images, outputs): 1, 0, or below 0 where unknown.
      probabilities: (images, outputs).
      labels: what the outputs mean.

    Returns:
      The AUC; 0.5 where it is undefined.
    """
    judged = range(targets.shape[1]) if labels.head == "findings" else [labels.positive_output]
    values = []
    for output in judged:
        known = targets[:, output] >= 0
        target = targets[known, output]
        if 0 < target.sum() < len(target):
            values.append(sklearn_metrics.roc_auc_score(target, probabilities[known, output]))
    return float(np.mean(values)) if values else 0.5


class Validation(keras.callbacks.Callback):
    """Adds `val_loss` and an exact `val_auc` (`mean_auc`) to the epoch's logs.

    The logits are the first of the model's outputs; what stands behind them is the loss's alone.

    Measures the averaged weights where the optimizer keeps an average. Stands before the callbacks that
    read the logs.

    Args:
      batches: validation images and targets; read once an epoch.
      labels: what the logits mean.
      loss: the training loss.
    """

    def __init__(self, batches: tf.data.Dataset, labels: Labels, loss: keras.losses.Loss):
        super().__init__()
        self.batches = batches
        self.labels = labels
        self.loss = loss

    def set_model(self, model: keras.Model) -> None:
        """Takes the model that is trained; every worker measures its own copy, for all are the same."""
        super().set_model(model)
        self._logits = tf.function(lambda images: model(images, training=False), reduce_retracing=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Runs the validation images."""
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        with averaged_weights(self.model):
            for images, target in self.batches:
                parts.append((target.numpy(), self._logits(images).numpy()))
        targets, outputs = map(np.concatenate, zip(*parts, strict=True))
        logits = outputs[:, : len(self.labels.outputs)]
        probabilities = np.asarray(scores.probabilities(logits, self.labels))
        if logs is not None:
            logs["val_loss"] = float(self.loss(targets, outputs))
            logs["val_auc"] = mean_auc(targets, probabilities, self.labels)


class Interruption(keras.callbacks.Callback):
    """Ends training by KeyboardInterrupt between two batches after Ctrl-C or SIGTERM (`interruption.between_steps`).

    A signal during the last batch or the validation of an epoch waits until this epoch is saved.
    """

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks for a signal."""
        interruption.check()


class EpochSeeds(keras.callbacks.Callback):
    """Makes the dropout of an epoch follow from the seed, the epoch's number and that of the replica alone.

    Keras does not save the state of its random generators; without this a resumed run would drop others.

    Args:
      seed: of the run.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the state of every layer that draws."""
        for index, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                seeds = np.random.SeedSequence([self.seed, epoch, index]).generate_state(2)
                self.model.distribute_strategy.run(_assign_seeds, [layer.seed_generator.state, seeds])


def _assign_seeds(state: keras.Variable, seeds: np.ndarray) -> None:
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    state.assign(tf.cast(seeds, state.dtype) + tf.cast([replica, 0], state.dtype))


class AveragedStatistics(keras.callbacks.Callback):
    """Gives all replicas the mean of their moving statistics, for batch normalisation sees each one's images apart.

    Moving averages are linear: it is what averaging after every step would give. Stands before `Validation`.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Averages every weight that is not trained."""
        variables, strategy = self.model.non_trainable_weights, self.model.distribute_strategy
        read = tf.function(lambda: [tf.identity(variable.value) for variable in variables])
        for variable, mean in zip(variables, strategy.reduce("MEAN", strategy.run(read), axis=None), strict=True):
            variable.assign(mean)


class LearningRateLog(keras.callbacks.Callback):
    """Adds the learning rate of the epoch's last step, and the stage's image size, to its logs.

    Args:
      image_size: side of the images of this stage, pixels.
    """

    def __init__(self, image_size: int):
        super().__init__()
        self.image_size = image_size

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reads the optimizer's rate."""
        if logs is not None:
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            logs["image_size"] = self.image_size


class KeptWeights(keras.callbacks.Callback):
    """Saves the (averaged) weights of the epoch that is kept, whole or not at all.

    Args:
      path: the `.npz` file.
      past: `val_auc` of the epochs already trained.
      config: whether the best epoch is kept or the last.
    """

    def __init__(self, path: pathlib.Path, past: list[float], config: TrainConfig):
        super().__init__()
        self.path = path
        self.past = list(past)
        self.config = config

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compares and saves."""
        if logs is None:
            return
        self.past.append(logs["val_auc"])
        if self.config.kept_epoch(self.past) == len(self.past) - 1:
            with averaged_weights(self.model):
                checkpoints.save(self.path, self.model.weights, epoch + 1)


class History(keras.callbacks.Callback):
    """Adds the epoch's logs to `history.csv`, which is replaced whole; a resumed run's is that of one that ran through.

    Args:
      path: the file.
      start_epoch: the first epoch that is to be trained; rows of it and later ones, of a lost epoch, are dropped.

    Raises:
      CtcovError: the file lacks an epoch before that.
    """

    def __init__(self, path: pathlib.Path, start_epoch: int):
        super().__init__()
        self.path = path
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))) if path.is_file() else []
        self.rows: list[dict[str, Any]] = rows[:start_epoch]
        if [row.get("epoch") for row in self.rows] != list(map(str, range(start_epoch))):
            raise errors.CtcovError(
                f"{path}: lacks an epoch before {start_epoch}: put back the file that was there, or train again"
            )

    def past(self, name: str, first_epoch: int) -> list[float]:
        """Values of a column from epoch `first_epoch` on."""
        return [float(row[name]) for row in self.rows if int(row["epoch"]) >= first_epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the file anew."""
        self.rows.append({"epoch": epoch, **dict(sorted((logs or {}).items()))})
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        files.write_text(self.path, text.getvalue())


def epochs_without_better(past: list[float]) -> int:
    """How many epochs have passed since the first with the best value; 0 where there are none."""
    return len(past) - 1 - past.index(max(past)) if past else 0


class ResumableEarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping that knows the epochs before a resume.

    Args:
      past: `val_auc` of the epochs already trained.
      patience: epochs without a better value before training stops.
    """

    def __init__(self, past: list[float], patience: int):
        super().__init__(monitor="val_auc", mode="max", patience=patience)
        self.past = past

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Takes up best value and waiting time where the past left them."""
        super().on_train_begin(logs)
        if self.past:
            self.best = max(self.past)
            self.wait = epochs_without_better(self.past)
