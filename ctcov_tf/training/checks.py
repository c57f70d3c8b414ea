"""Settings that contradict each other, refused before anything is written."""

from ctcov_tf import bag_pipeline, errors
from ctcov_tf.config import BaselineConfig, Config, TrainConfig, TwoViewsConfig
from ctcov_tf.datasets import contents
from ctcov_tf.models.baselines import methods
from ctcov_tf.training import network


def check(config: Config) -> None:
    """Refuses settings that cannot be trained.

    Args:
      config: the resolved configuration.

    Raises:
      CtcovError: two settings contradict each other, or one has no meaning.
    """
    if config.train.teachers and getattr(config.model, "slices", 1) > 1:
        raise errors.CtcovError(
            "--teachers: they answer for single images, this run learns from bags: choose --slices 1"
        )
    if config.data.task == "rotation" and config.augment.flip:
        raise errors.CtcovError("--flip: a mirrored quarter turn looks like the other one: leave it out of this task")
    if config.model.head == "findings" and config.train.class_weights:
        raise errors.CtcovError("--class-weights: findings do not exclude each other, they have no class to weight")
    if isinstance(config.model, BaselineConfig):
        _check_slices(config.model)
    if isinstance(config.model, TwoViewsConfig):
        _check_pretraining(config)
    elif config.data.also:
        raise errors.CtcovError(
            "--also: classes of several datasets do not go together: leave it out, or choose a pre-training without "
            "labels (pretrain_simsiam)"
        )
    if (config.augment.contrast or config.augment.brightness) and bag_pipeline.slices_of(config) > 1:
        raise errors.CtcovError("--contrast, --brightness: change single images only: leave them out, or --slices 1")
    if not 0 < config.augment.crop <= 1:
        raise errors.CtcovError(f"--crop {config.augment.crop}: is no share of an area: choose it from above 0 to 1")
    if not config.train.first_layer_rate > 0:
        raise errors.CtcovError(f"--first-layer-rate {config.train.first_layer_rate}: choose it above 0")
    if network.computes_on_the_fly(config.model) and config.train.early_stages:
        raise errors.CtcovError(
            "--likelihoods on_the_fly: the parts take images of their own size only: leave out --early-stages, "
            "or choose --likelihoods cached"
        )
    if config.train.distribution_strategy != "one_device":
        if config.train.accumulate > 1:
            raise errors.CtcovError(
                "--accumulate: gathers steps on one device only: leave it out, more devices hold a larger --batch-size"
            )
        if bag_pipeline.slices_of(config) > 1:
            raise errors.CtcovError(
                "--slices: bags are trained on one device only: choose --slices 1 for single images"
            )
        if network.computes_on_the_fly(config.model):
            raise errors.CtcovError(
                "--likelihoods on_the_fly: is computed on one device only: choose --likelihoods cached"
            )


def _check_pretraining(config: Config) -> None:
    """Refuses what asks for labels."""
    settings, preset = config.train, TrainConfig()
    for flag in ("loss", "label_smoothing", "class_weights", "teachers"):
        if getattr(settings, flag) != getattr(preset, flag):
            raise errors.CtcovError(
                f"--{flag.replace('_', '-')}: this pre-training learns without labels: leave it out"
            )
    if settings.distribution_strategy != "one_device":
        raise errors.CtcovError("--distribution-strategy: this pre-training runs on one device only: leave it out")
    names = [source.dataset for source in contents.sources(config.data)]
    if len(set(names)) < len(names):
        raise errors.CtcovError(f"--also {' '.join(config.data.also)}: names a dataset twice: name each once")


def _check_slices(model: BaselineConfig) -> None:
    if model.slices < 1:
        raise errors.CtcovError(f"--slices {model.slices}: a bag has at least one slice: choose 1 for single images")
    if model.slices > 1 and model.method not in methods.ON_BAGS:
        raise errors.CtcovError(
            f"--slices {model.slices}: {model.method} answers single images: choose --slices 1, "
            f"or a method of {', '.join(methods.ON_BAGS)}"
        )
