"""Which devices and hosts train together: tf.distribute's strategies by name.

All of them take the same steps: a batch is the same images whoever shares it, each replica computes the gradients of
an equal part of it, and their mean moves every copy of the weights alike.
"""

from collections.abc import Callable, Sequence
import functools
import json
import os
import sys
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import DistributionStrategy

_MULTI_WORKER: DistributionStrategy = "multi_worker_mirrored"
_EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


class Task(NamedTuple):
    """A process among those that train together.

    Attributes:
      chief: whether it is the one that writes.
      workers: how many processes there are.
    """

    chief: bool
    workers: int


def task(name: DistributionStrategy) -> Task:
    """What this process is, by the environment variable TF_CONFIG where several hosts train.

    Args:
      name: of the strategy.

    Raises:
      CtcovError: the strategy is that of several hosts, and TF_CONFIG does not say what this one is.
    """
    if name != _MULTI_WORKER:
        return Task(chief=True, workers=1)
    try:
        content = json.loads(os.environ["TF_CONFIG"])
        jobs, kind, index = content["cluster"], content["task"]["type"], int(content["task"]["index"])
        workers = {job: len(jobs.get(job, ())) for job in ("chief", "worker")}
        if kind not in workers or not 0 <= index < workers[kind]:
            raise ValueError(f"task {kind} {index} is none of its cluster")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.CtcovError(
            f"--distribution-strategy {name}: TF_CONFIG does not say what this worker is "
            f"({type(error).__name__}: {errors.one_line(error)}): set it to such as {_EXAMPLE}"
        ) from error
    chief = kind == "chief" or (index == 0 and not workers["chief"])
    return Task(chief=chief, workers=sum(workers.values()))


@functools.cache
def strategy(name: DistributionStrategy) -> tf.distribute.Strategy:
    """The strategy; one object a process.

    That of several hosts has to be made before TensorFlow computes anything, and waits for the others.

    Args:
      name: `one_device`; `mirrored`, all GPUs of this host (without one, its CPU devices); `multi_worker_mirrored`, all
        hosts that TF_CONFIG names.

    Raises:
      CtcovError: TF_CONFIG is missing or wrong, or the other workers do not answer.
    """
    if name == "one_device":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    task(name)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise errors.CtcovError(
            f"--distribution-strategy {name}: the workers do not find each other ({errors.one_line(error)}): "
            "start all of them, with the same cluster in TF_CONFIG and its ports open"
        ) from error


def fit(
    model: keras.Model,
    batches: Callable[[int, int], tf.data.Dataset],
    *,
    steps: int,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int = 0,
) -> None:
    """Trains a model whose strategy has several replicas, as Keras' `fit` trains on one device.

    Keras 3's own `fit` does not run under MultiWorkerMirroredStrategy: it reduces nested batches and scalars along an
    axis, which that strategy refuses (Keras 3.15.1).

    Args:
      model: compiled in the strategy's scope.
      batches: gives the parts of the batches that are for a worker, by its number and the number of workers, an element
        a replica.
      steps: an epoch.
      epochs: of the run that are trained.
      callbacks: called at the beginning and end of training and of each epoch, and before each step.
      verbose: as in Keras.
    """
    strategy = model.distribute_strategy
    parts = iter(
        strategy.distribute_datasets_from_function(
            lambda context: batches(context.input_pipeline_id, context.num_input_pipelines)
        )
    )

    @tf.function
    def take_step(part: Any) -> None:
        strategy.run(model.train_step, args=(part,))

    called = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=epochs.stop, steps=steps, verbose=verbose
    )
    model.stop_training = False
    called.on_train_begin()
    for epoch in epochs:
        model.reset_metrics()
        called.on_epoch_begin(epoch)
        for step in range(steps):
            called.on_train_batch_begin(step)
            take_step(next(parts))
        called.on_epoch_end(epoch, {name: float(value) for name, value in model.get_metrics_result().items()})
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)
    called.on_train_end()


def check_same(name: DistributionStrategy, value: int, what: str) -> None:
    """Holds all workers to the same number.

    Args:
      name: of the strategy.
      value: this worker's.
      what: it is, for the error.

    Raises:
      CtcovError: another worker has another.
    """
    if task(name).workers > 1:
        found = strategy(name).gather(tf.constant([value]), axis=0).numpy()
        if len(set(found.tolist())) > 1:
            raise errors.CtcovError(
                f"{what}: {', '.join(map(str, found))} on the workers: "
                "give all of them the same run directory on a file system that they share"
            )


def leave(name: DistributionStrategy, code: int) -> None:
    """Ends the process at once where several workers have trained; does nothing elsewhere.

    At a normal end TensorFlow's coordination service (2.21) waits for workers that wait for it.

    Args:
      name: of the strategy.
      code: exit code.
    """
    if task(name).workers > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
