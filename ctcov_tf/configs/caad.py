"""CAAD, a method that the paper compares with: EfficientNet-B0 with a classification head and an anomaly head.

    python train.py caad --dataset covid_cxr

Approximated (`docs/baselines.md`). From random weights unless `--weights imagenet` says otherwise; the settings of
training are ours, those of `small_cnn`.
"""

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_cxr"),
        model=BaselineConfig(method="caad", dropout=0.2),
        train=small_cnn.get_config().train,
    )
