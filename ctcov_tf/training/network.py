"""The network that training runs, which need not be the one that is saved."""

from collections.abc import Sequence

import keras

from ctcov_tf import bag_pipeline, run_directory
from ctcov_tf.config import BaselineConfig, FusionConfig, ModelConfig, TwoViewsConfig
from ctcov_tf.models import deep_cxr_net, registry, simsiam
from ctcov_tf.models.baselines import bags
from ctcov_tf.models.baselines.baseline import trained_form
from ctcov_tf.models.deep_cxr_net import FrozenPart


def trained(
    run: run_directory.RunDirectory, config: ModelConfig, image_size: int, parts: Sequence[FrozenPart]
) -> keras.Model:
    """The network that training runs: without the frozen parts where their likelihoods are given to it.

    Where heads have losses of their own, they stand behind the logits; methods that answer bags have theirs. A
    pre-training without labels takes two images at once.

    Args:
      run: labels and data.
      config: of the model; that of the run, or the same from other weights.
      image_size: side of its images, pixels.
      parts: the frozen parts, of a fusion.
    """
    outputs = len(run.labels.outputs)
    if isinstance(config, FusionConfig) and not computes_on_the_fly(config):
        given = sum(len(part.info.likelihoods) for part in parts)
        return deep_cxr_net.fusion(config, image_size, outputs, likelihoods=given)
    model = registry.build(config, image_size, outputs, parts)
    if isinstance(config, TwoViewsConfig):
        return simsiam.two_views(model)
    if not isinstance(config, BaselineConfig):
        return model
    slices = bag_pipeline.slices_of(run.config)
    return bags.bag_form(config, model, slices) if slices > 1 else trained_form(config, model)


def computes_on_the_fly(config: ModelConfig) -> bool:
    """Whether the frozen parts run with every step, and not once an image.

    Args:
      config: of the model.
    """
    return isinstance(config, FusionConfig) and config.likelihoods == "on_the_fly" and config.parts != "none"
