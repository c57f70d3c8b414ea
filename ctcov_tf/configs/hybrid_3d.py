"""Hybrid-3D, a method that the paper compares with: DenseNet-121 over stacks of neighbouring slices.

    python train.py hybrid_3d --dataset covid_ct

Approximated (`docs/baselines.md`). From random weights unless `--weights imagenet` says otherwise; the settings of
training are ours, those of `small_cnn`. Four slices of a patient are a bag, eight bags a step; where no patient has
more than one image, single images are.
"""

import dataclasses

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="hybrid_3d", slices=4),
        train=dataclasses.replace(small_cnn.get_config().train, batch_size=8),
    )
