"""Hybrid-3D, a method that the paper compares with: DenseNet-121 over stacks of neighbouring slices.

    python train.py hybrid_3d --dataset covid_ct

Approximated (`docs/baselines.md`). From random weights unless `--weights imagenet` says otherwise; the settings of
training are ours, those of `small_cnn`. Four slices of a patient are a bag, eight bags a step; where no patient has
more than one image, single images are.
"""

from ctcov_tf.config import BaselineConfig, Config, DataConfig, TrainConfig


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="hybrid_3d", slices=4),
        train=TrainConfig(
            epochs=60,
            batch_size=8,
            optimizer="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            warmup=0.1,
            label_smoothing=0.05,
            ema_momentum=0.99,
        ),
    )
