"""xDNN, a method that the paper compares with: the nearest prototype among features of a VGG-16 that is not trained.

    python train.py xdnn --weights imagenet

Approximated (`docs/baselines.md`). The prototypes are learnt in one pass without gradients, so that no other setting of
training plays a part. The original has ImageNet weights; without `--weights imagenet` the features are random ones.
"""

from ctcov_tf.config import BaselineConfig, Config, DataConfig, PreprocessConfig


def get_config() -> Config:
    """224 px, for which VGG-16's fully connected layers are made."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        preprocess=PreprocessConfig(image_size=224),
        model=BaselineConfig(method="xdnn"),
    )
