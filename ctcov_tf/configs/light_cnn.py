"""Light CNN, a method that the paper compares with: SqueezeNet 1.1 with a transposed-convolution skip block.

    python train.py light_cnn --dataset covid_ct

Approximated (`docs/baselines.md`). Always from random weights; without batch normalisation, at a lower learning rate
than others. The settings of training are ours.
"""

import dataclasses

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="light_cnn", dropout=0.5),
        train=dataclasses.replace(small_cnn.get_config().train, learning_rate=3e-4),
    )
