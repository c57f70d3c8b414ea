"""DL-system, a method that the paper compares with: a small network of four dense blocks on single slices.

    python train.py dl_system --dataset covid_ct

Approximated (`docs/baselines.md`). Always from random weights; the settings of training are ours, those of
`small_cnn`.
"""

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="dl_system"),
        train=small_cnn.get_config().train,
    )
