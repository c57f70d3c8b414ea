"""DenseNet-169 as the paper's reference 46 trains it: random crops and mirroring, Adam 1e-4, cosine schedule.

    python train.py densenet169 --weights imagenet

224 px. The original starts from ImageNet weights; without `--weights imagenet` training starts from random ones, for
which this learning rate is low.
"""

import dataclasses

from ctcov_tf.config import BaselineConfig, Config
from ctcov_tf.configs import resnet50


def get_config() -> Config:
    """Settings of reference 46, those of its ResNet-50."""
    return dataclasses.replace(resnet50.get_config(), model=BaselineConfig(method="densenet169"))
