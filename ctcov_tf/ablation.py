"""Ablation of Deep-CXR-Net: part 3 alone, with either frozen part, and with both (section 2.3)."""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any, Literal

from ctcov_tf import configs, errors, run_directory
from ctcov_tf.config import Config, DeepCXRNetConfig, DeepCXRNetEdgeConfig, FusionConfig
from ctcov_tf.evaluation import comparison_files
from ctcov_tf.evaluation.comparison import compare
from ctcov_tf.reproduce import cells
from ctcov_tf.reproduce.cells import Cell
from ctcov_tf.reproduce.judging import Judging

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
    arms = [
        Cell(
            arm,
            TITLES[arm],
            preset,
            dataclasses.replace(config, model=dataclasses.replace(model, parts=arm)),
            out / arm,
        )
        for arm in parts
    ]
    cells.begin(arms)
    cells.work(arms, Judging(f"ablation of {preset}", explain=True))
    runs = {arm.title: run_directory.load(arm.path) for arm in arms}
    seconds = {arm.title: taken for arm in arms if (taken := cells.seconds(arm.path)) is not None}
    comparison = compare(runs, seconds=seconds)
    comparison_files.write(comparison, out, NAME, f"Ablation of {preset}")
    return comparison


def _check_fusion(preset: str, config: Config) -> DeepCXRNetConfig | DeepCXRNetEdgeConfig:
    if not isinstance(config.model, FusionConfig):
        raise errors.CtcovError(f"{preset}: is no fusion, there is no part to leave out: choose deep_cxr_net")
    return config.model
