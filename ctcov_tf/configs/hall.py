"""Hall et al., a method that the paper compares with: the mean of ResNet-50, VGG-16 and a small network.

    python train.py hall --dataset covid_cxr

From random weights unless `--weights imagenet` says otherwise; VGG-16 has no batch normalisation and takes a lower
learning rate than others. The settings of training are ours.
"""

import dataclasses

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_cxr"),
        model=BaselineConfig(method="hall"),
        train=dataclasses.replace(small_cnn.get_config().train, learning_rate=1e-4),
    )
