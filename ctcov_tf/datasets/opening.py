"""From a dataset's name to the dataset, or to the command that builds it."""

import functools
import importlib
import pkgutil

import tensorflow_datasets as tfds

from ctcov_tf import errors
from ctcov_tf.datasets import chexpert
from ctcov_tf.datasets.dataset import Dataset

BUILDERS = "tfds_ctcov19"  # importing it registers this project's datasets
ADAPTED = {"chexpert": chexpert.CheXpert}  # datasets of TFDS's own catalogue


@functools.lru_cache(maxsize=16)
def open_dataset(name: str, data_dir: str | None = None) -> Dataset:
    """Opens a dataset that `tfds build` has built.

    Args:
      name: TFDS name, `builder` or `builder/config`.
      data_dir: where it was built; TFDS's own default if None.

    Returns:
      The dataset.

    Raises:
      CtcovError: the dataset is unknown or not built; says the command.
    """
    project = importlib.import_module(BUILDERS)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        ours = [module.name for module in pkgutil.iter_modules(project.__path__) if module.ispkg]
        raise errors.CtcovError(
            f"unknown dataset {name}: choose one of {', '.join([*ours, *ADAPTED])} ({reason})"
        ) from error
    if not builder.is_prepared():
        place = f" --data_dir {data_dir}" if data_dir else ""
        imports = "" if builder.name in ADAPTED else f" --imports {BUILDERS}"
        raise errors.CtcovError(f"{name}: not built at {builder.data_path}: tfds build {name}{imports}{place}")
    return ADAPTED.get(builder.name, Dataset)(builder)
