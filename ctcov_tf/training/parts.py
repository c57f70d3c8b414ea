"""The frozen parts of Deep-CXR-Net, read from the runs that trained them (section 2.3)."""

import dataclasses
import pathlib

import keras

from ctcov_tf import configs, errors, files, run_directory
from ctcov_tf.config import Config, FusionConfig, PreprocessConfig
from ctcov_tf.model_info import PartInfo
from ctcov_tf.models.deep_cxr_net import FrozenPart

_LAST_LAYER = "logits"
_OTHER = {"part1": "part2", "part2": "part1"}


def load(config: Config) -> tuple[FrozenPart, ...]:
    """Reads the parts that a configuration names.

    Args:
      config: of the run that is to fuse them.

    Returns:
      The parts in the order of their likelihoods; none for other models than Deep-CXR-Net.

    Raises:
      CtcovError: a part's run is missing or not finished, its network does not fit its record, it has
        another head than its place asks for, or it was trained with another pre-processing.
    """
    if not isinstance(config.model, FusionConfig) or config.model.parts == "none":
        return ()
    paths = {"part1": config.model.part1, "part2": config.model.part2}
    chosen = [config.model.parts] if config.model.parts in paths else list(paths)
    return tuple(_load(name, pathlib.Path(paths[name]), config.preprocess) for name in chosen)


def _load(name: str, path: pathlib.Path, preprocess: PreprocessConfig) -> FrozenPart:
    variants = [preset for preset in configs.names() if preset.startswith(f"cxr_{name}")]
    preset = path.name if path.name in variants else f"cxr_{name}"
    remedy = f"train it with python train.py {preset} --run-dir {path}, or leave it out with --parts {_OTHER[name]}"
    if not (path / "config.json").is_file():
        raise errors.CtcovError(f"{name}: {path}: no such run directory: {remedy}")
    run = run_directory.load(path)
    if not run.calibration_file.is_file():
        raise errors.CtcovError(f"{name}: {path}: is not finished: go on with python train.py --resume {path}")
    _check_head(name, run)
    _check_preprocessing(name, run, preprocess)
    network = run.load_model()
    _check_network(name, run, network)
    info = PartInfo(name, run.preset, run.labels, trained_on=run.manifest["name"], sha256=files.sha256(run.model_file))
    return FrozenPart(info, network)


def _check_head(name: str, run: run_directory.RunDirectory) -> None:
    fits = run.labels.head == "findings" if name == "part1" else run.labels.exclusive
    if not fits:
        wanted = "likelihoods of findings (--head findings)" if name == "part1" else "of classes (--head two_class)"
        raise errors.CtcovError(
            f"{name}: {run.path}: has the head {run.labels.head}, {name} gives {wanted}: "
            f"name a run of cxr_{name} with --{name}"
        )


def _check_preprocessing(name: str, run: run_directory.RunDirectory, preprocess: PreprocessConfig) -> None:
    """All parts see the same image (Fig. 4)."""
    theirs, ours = dataclasses.asdict(run.config.preprocess), dataclasses.asdict(preprocess)
    differing = [key for key in ours if ours[key] != theirs[key]]
    if differing:
        found = ", ".join(f"{key} {theirs[key]} there and {ours[key]} here" for key in differing)
        raise errors.CtcovError(
            f"{name}: {run.path}: was trained with another pre-processing ({found}): all parts see the same image; "
            f"give the same flags here, or train {name} again with those of this run"
        )


def _check_network(name: str, run: run_directory.RunDirectory, network: keras.Model) -> None:
    """Holds `model.keras` to the run's own record."""
    size, outputs = run.config.preprocess.image_size, len(run.labels.outputs)
    last = network.layers[-1].name
    if last != _LAST_LAYER or network.input_shape != (None, size, size, 3):
        raise errors.CtcovError(
            f"{name}: {run.model_file}: is of another architecture (input {network.input_shape}, last layer {last}): "
            f"train {name} again"
        )
    if network.output_shape != (None, outputs):
        raise errors.CtcovError(
            f"{name}: {run.model_file}: gives {network.output_shape[-1]} likelihoods, its config.json names {outputs} "
            f"({', '.join(run.labels.outputs)}): train {name} again with the findings that it is to give"
        )
