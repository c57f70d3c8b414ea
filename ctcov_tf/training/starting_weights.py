"""Where training starts from (`--init-from`): an earlier run, or weights for the backbone."""

import dataclasses
import pathlib
from typing import Any

import keras

from ctcov_tf import errors, files, run_directory
from ctcov_tf.config import BaselineConfig, Config, DataConfig, DenseNetConfig, EfficientNetLiteConfig
from ctcov_tf.datasets import contents
from ctcov_tf.models import feature_maps, registry, transfer


def resolve(config: Config) -> Config:
    """Tells runs from weights for the backbone, which are what `--weights` takes.

    Args:
      config: of a run that is to begin; `train.init_from` is a run directory, or a file or `imagenet`.

    Returns:
      The same with `model.weights` in the place of a `train.init_from` that is no folder.

    Raises:
      CtcovError: the model has no backbone that takes weights.
    """
    source = config.train.init_from
    if source is None or pathlib.Path(source).is_dir() or not _is_weights(source):
        return config
    if not isinstance(config.model, BaselineConfig | DenseNetConfig | EfficientNetLiteConfig):
        raise errors.CtcovError(f"--init-from {source}: this model has no backbone to fill: name a run of its preset")
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, weights=source),
        train=dataclasses.replace(config.train, init_from=None),
    )


def record(config: Config, outputs: int) -> dict[str, Any] | None:
    """Holds the run that training starts from to have the same backbone, and says what it was.

    Args:
      config: of a run that is to begin.
      outputs: number of its logits.

    Returns:
      `run` (its folder), `preset`, `trained_on` and `sha256` (of its network); None without such a run.

    Raises:
      CtcovError: there is no such run, it is not finished, a layer of the backbone is missing there or of another
        shape, or it is a pre-training on images that validate or test this run.
    """
    source = config.train.init_from
    if source is None:
        return None
    run = run_directory.load_any(source)
    _check_images(config.data, run)
    target = registry.build(registry.without_weights(config.model), config.preprocess.image_size, outputs)
    left_alone = transfer.transfer_weights(run.load_model(), target)
    layers = _backbone(target)
    if missing := [path for path in left_alone if path.partition("/")[0] in layers]:
        raise errors.CtcovError(
            f"--init-from {source}: layer {missing[0].partition('/')[0]} is missing there or of another shape "
            f"({run.preset} has another network): start from a run with this backbone"
        )
    return {
        "run": str(source),
        "preset": run.preset,
        "trained_on": run.trained_on,
        "sha256": files.sha256(run.model_file),
    }


def _check_images(data: DataConfig, run: run_directory.RunDirectory) -> None:
    """Holds a pre-training to have learnt from no image of the same builder that judges this run."""
    for source in contents.sources(run.config.data) if run.pretraining else ():
        if found := contents.learnt_and_judging(source, data):
            image, split = found
            raise errors.CtcovError(
                f"--init-from {run.path}: has learnt from image {image}, which is in the {split} part here: "
                "start from a run of the same --dataset and --fold"
            )


def _is_weights(source: str) -> bool:
    return source == "imagenet" or source.endswith((".keras", ".h5"))


def _backbone(model: keras.Model) -> set[str]:
    """Names of the layers up to the last map of one sign: what stands behind it depends on the task."""
    last = feature_maps.last_rectified(model)
    names = [layer.name for layer in model.layers]
    return set(names[: names.index(last.name) + 1]) if last else set()
