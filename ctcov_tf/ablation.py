"""Ablation of Deep-CXR-Net: part 3 alone, with either frozen part, and with both (section 2.3)."""

from collections.abc import Sequence
import dataclasses
import json
import pathlib
import time
from typing import Any, Literal

import keras

from ctcov_tf import config as config_lib
from ctcov_tf import configs, errors, files, run_directory
from ctcov_tf.config import Config, DeepCXRNetConfig
from ctcov_tf.evaluation import calibrate, comparison_page, figures, protocols
from ctcov_tf.evaluation.comparison import compare
from ctcov_tf.evaluation.forest import forest
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.training import train

Arm = Literal["none", "part1", "part2", "both"]
TITLES: dict[Arm, str] = {
    "none": "part 3 alone",
    "part1": "with part 1",
    "part2": "with part 2",
    "both": "with both parts",
}
NAME = "ablation"


def settings(preset: str, **sections: dict[str, Any]) -> Config:
    """The configuration of a preset with some of its values changed.

    Args:
      preset: name of a preset of Deep-CXR-Net.
      **sections: `data`, `preprocess`, `model` and `train`: new values by the field's name; None keeps the preset's.

    Raises:
      CtcovError: there is no such preset, or it is no fusion.
    """
    config = configs.load(preset)
    _check_fusion(preset, config)
    changed = {
        section: dataclasses.replace(
            getattr(config, section), **{name: value for name, value in values.items() if value is not None}
        )
        for section, values in sections.items()
    }
    return dataclasses.replace(config, **changed)


def ablate(preset: str, config: Config, out: pathlib.Path, *, parts: Sequence[Arm] = tuple(TITLES)) -> dict[str, Any]:
    """Trains and evaluates one run an arm, all with the same settings, and writes what they show.

    Each arm is a run directory in `out`. One that is finished is not trained again, one that was interrupted goes on;
    the test part is read once an arm. `ablation.json`, `ablation.md` and `ablation.png` hold the comparison.

    Args:
      preset: name of the preset.
      config: the resolved configuration of a Deep-CXR-Net; its `parts` is what the arms differ in.
      out: folder for the arms and the comparison.
      parts: the arms; the first is the one that the others are held against.

    Returns:
      What `compare` gives, as in `ablation.json`.

    Raises:
      CtcovError: the preset is no fusion, a part is missing, or `out` holds an arm of other settings.
      KeyboardInterrupt: an arm was interrupted; the same call goes on with it.
    """
    model = _check_fusion(preset, config)
    if not parts:
        raise errors.CtcovError(f"ablation of {preset}: no arm named: choose --parts from {', '.join(TITLES)}")
    arms = {arm: dataclasses.replace(config, model=dataclasses.replace(model, parts=arm)) for arm in parts}
    runs = {TITLES[arm]: _open_or_create(preset, arm_config, out / arm) for arm, arm_config in arms.items()}
    clock = _Clock(out / "seconds.json")
    for title, run in runs.items():
        print(f"{title}: {run.path}")
        _finish(run, clock)
        if not _is_evaluated(run):
            protocols.evaluate(run, reason=f"ablation of {preset}")
        keras.utils.clear_session()
    seconds = {title: clock.seconds[run.path.name] for title, run in runs.items() if run.path.name in clock.seconds}
    comparison = compare(runs, seconds=seconds)
    files.write_json(out / f"{NAME}.json", comparison)
    figures.save(forest(comparison), out / f"{NAME}.png")
    files.write_text(
        out / f"{NAME}.md", comparison_page.as_markdown(comparison, f"Ablation of {preset}", f"{NAME}.png")
    )
    return comparison


def _check_fusion(preset: str, config: Config) -> DeepCXRNetConfig:
    if not isinstance(config.model, DeepCXRNetConfig):
        raise errors.CtcovError(f"{preset}: is no fusion, there is no part to leave out: choose deep_cxr_net")
    return config.model


class _Clock:
    """Seconds that the training of each arm has taken, over all calls."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self.seconds: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}

    def add(self, arm: str, seconds: float) -> None:
        self.seconds[arm] = self.seconds.get(arm, 0.0) + seconds
        files.write_json(self._path, self.seconds)


def _open_or_create(preset: str, config: Config, path: pathlib.Path) -> RunDirectory:
    if not path.exists():
        return train.create_run(preset, config, path)
    run = run_directory.load(path)
    # create_run has resolved the precision for the machine that began the run
    expected = dataclasses.replace(
        config, train=dataclasses.replace(config.train, precision=run.config.train.precision)
    )
    if (changed := _changed_fields(run.config, expected)) or run.preset != preset:
        what = f"with another {', '.join(changed)}" if changed else f"from preset {run.preset}"
        raise errors.CtcovError(f"{path}: was trained {what}: choose another --out, or the settings that it has")
    return run


def _changed_fields(ours: Config, theirs: Config) -> list[str]:
    sections = zip(config_lib.to_dict(ours).values(), config_lib.to_dict(theirs).values(), strict=True)
    return [
        f"--{name.replace('_', '-')}"
        for one, other in sections
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
    ]


def _finish(run: RunDirectory, clock: _Clock) -> None:
    """Trains the run to its end and chooses its threshold, unless that has been done."""
    if run.calibration_file.is_file():
        return
    start = time.perf_counter()
    try:
        finished = train.train(run)
    finally:
        clock.add(run.path.name, time.perf_counter() - start)
    if not finished:
        raise KeyboardInterrupt
    calibrate.calibrate(run)


def _is_evaluated(run: RunDirectory) -> bool:
    if not run.metrics_file.is_file():
        return False
    return "test" in run.read_json(run.metrics_file, f"ctcov evaluate {run.path}")["splits"]
