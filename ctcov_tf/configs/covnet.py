"""COVNet, a method that the paper compares with: ResNet-50 over each slice, the maximum over slices.

    python train.py covnet --dataset covid_ct

From random weights unless `--weights imagenet` says otherwise; the settings of training are ours, those of
`small_cnn`. Four slices of a patient are a bag, eight bags a step; where no patient has more than one image, single
images are.
"""

import dataclasses

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="covnet", slices=4),
        train=dataclasses.replace(small_cnn.get_config().train, batch_size=8),
    )
