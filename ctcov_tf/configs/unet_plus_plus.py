"""UNet++, a method that the paper compares with: nested decoder over ResNet-50, its map of logits pooled.

    python train.py unet_plus_plus --dataset covid_ct

Approximated (`docs/baselines.md`). From random weights unless `--weights imagenet` says otherwise; the settings of
training are ours, those of `small_cnn`.
"""

from ctcov_tf.config import BaselineConfig, Config, DataConfig
from ctcov_tf.configs import small_cnn


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="unet_plus_plus"),
        train=small_cnn.get_config().train,
    )
