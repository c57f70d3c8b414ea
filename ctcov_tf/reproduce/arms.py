"""What a table compares: methods by their presets, or our own network with one thing changed."""

from collections.abc import Sequence
import dataclasses

from ctcov_tf import configs, errors
from ctcov_tf.config import Config, FusionConfig, PyramidConfig, PyramidNetConfig
from ctcov_tf.models.baselines.methods import METHODS
from ctcov_tf.reproduce.protocol import LEARNING_RATE, Protocol

OURS = {"deep_ct_net": "Deep-CT-Net", "deep_cxr_net": "Deep-CXR-Net"}
"""Titles of the paper's own networks by how the names of their presets begin."""

WHOLE = "whole"
"""The arm of an ablation from which nothing is taken."""

FOCAL = "focal"


@dataclasses.dataclass(frozen=True)
class Arm:
    """One row of a table.

    Attributes:
      name: as `--methods` and the folders of its runs call it.
      title: for readers.
      preset: that its runs start from.
      config: the configuration of its runs but for the seed.
      notes: how it differs from what its name promises, and from the other rows.
    """

    name: str
    title: str
    preset: str
    config: Config
    notes: tuple[str, ...] = ()

    def seeded(self, seed: int) -> Config:
        """The configuration of the run with a seed."""
        return dataclasses.replace(self.config, train=dataclasses.replace(self.config.train, seed=seed))


def method(preset: str, protocol: Protocol) -> Arm:
    """A method under the settings of its table.

    Args:
      preset: name of its preset.
      protocol: the settings.

    Raises:
      CtcovError: there is no such preset.
    """
    config = protocol.config(preset)
    known = METHODS.get(preset)
    notes = []
    if known and known.approximation:
        notes.append(f"approximated: {known.approximation}")
    if isinstance(config.model, FusionConfig) and config.model.parts == "none":
        notes.append("part 3 alone, without the frozen parts")
    elif isinstance(config.model, FusionConfig):
        notes.append(f"its frozen parts are {config.model.part1} and {config.model.part2}")
    if preset == "xdnn" and protocol.weights == "none":
        notes.append("its features are those of random weights, since nothing of its VGG-16 is trained")
    if known and known.bags:
        notes.append(_on_bags(protocol.slices_of(config)))
    if config.train.learning_rate != LEARNING_RATE:
        notes.append(f"learning rate {config.train.learning_rate:g} instead of {LEARNING_RATE:g}")
    return Arm(preset, known.title if known else title_of(preset), preset, config, tuple(notes))


def _on_bags(slices: int) -> str:
    if slices == 1:
        return "single slices here, where the original takes all of a study together"
    return f"answers {slices} slices of a group at once: all images of a group have that answer"


def title_of(preset: str) -> str:
    """The paper's name of one of its own networks, with what sets its preset apart; else the preset's."""
    for start, title in OURS.items():
        if preset.startswith(start):
            variant = preset.removeprefix(start).strip("_")
            return f"{title} ({variant})" if variant else title
    return preset


def ablation(preset: str, protocol: Protocol) -> list[Arm]:
    """Our own network, whole and with one thing changed in each arm.

    ImageNet's statistics in place of those of each image are no arm: the pre-processing that travels with a model has
    no such setting. Without standardisation images are scaled to [0, 1], of which ImageNet's statistics are a fixed
    linear function.

    Args:
      preset: of a network with pyramid attention.
      protocol: the settings of all arms.

    Raises:
      CtcovError: there is no such preset, or it has no pyramid attention.
    """
    whole = protocol.config(preset)
    model = whole.model
    if not isinstance(model, PyramidConfig):
        raise errors.CtcovError(
            f"ablation: {preset} has no pyramid attention to change: choose --ours deep_ct_net_slim"
        )

    def changed(section: str, **values: object) -> Config:
        return dataclasses.replace(whole, **{section: dataclasses.replace(getattr(whole, section), **values)})

    arms: dict[str, tuple[str, Config]] = {WHOLE: (f"{title_of(preset)}, whole", whole)}
    for attention in ("none", "slim", "paper"):
        if attention != model.attention:
            arms[f"attention_{attention}"] = (f"attention: {attention}", changed("model", attention=attention))
    levels = 5 - model.attention_levels
    arms[f"levels_{levels}"] = (f"{levels} levels of attention", changed("model", attention_levels=levels))
    arms["pooling_average"] = ("average of the map in place of flatten", changed("model", pooling="average"))
    if isinstance(model, PyramidNetConfig):
        stride = 48 - model.output_stride
        arms[f"stride_{stride}"] = (f"output stride {stride}", changed("model", output_stride=stride))
    for step, title in (("equalise", "equalisation"), ("blur", "blur"), ("standardise", "standardisation")):
        without = f"without {title}" + (": images in [0, 1]" if step == "standardise" else "")
        arms[f"no_{step}"] = (without, changed("preprocess", **{step: False}))
    arms[FOCAL] = ("focal loss", changed("train", loss="focal"))
    arms["last_epoch"] = ("last epoch in place of the best", changed("train", checkpoint="last"))
    arms["no_augment"] = ("without augmentation", changed("augment", rotation_degrees=0.0, translation=0.0))
    return [Arm(name, title, preset, config) for name, (title, config) in arms.items()]


def choose(arms: Sequence[Arm], names: Sequence[str] | None) -> list[Arm]:
    """The arms of these names, after the first, which the others are held against.

    Args:
      arms: all there are.
      names: None takes all.

    Raises:
      CtcovError: there is no such arm.
    """
    by_name = {arm.name: arm for arm in arms}
    for name in names or ():
        if name not in by_name:
            raise errors.CtcovError(f"--methods {name}: no such arm: choose from {', '.join(by_name)}")
    return [arms[0], *(arm for arm in arms[1:] if names is None or arm.name in names)]


def presets(names: Sequence[str]) -> list[str]:
    """The names, without repetition, held to be presets.

    Raises:
      CtcovError: one is none.
    """
    for name in names:
        configs.load(name)
    return list(dict.fromkeys(names))
