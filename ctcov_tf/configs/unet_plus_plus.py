"""UNet++, a method that the paper compares with: nested decoder over ResNet-50, its map of logits pooled.

    python train.py unet_plus_plus --dataset covid_ct

Approximated (`docs/baselines.md`). From random weights unless `--weights imagenet` says otherwise; the settings of
training are ours, those of `small_cnn`.
"""

from ctcov_tf.config import BaselineConfig, Config, DataConfig, TrainConfig


def get_config() -> Config:
    """Settings for training from scratch."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        model=BaselineConfig(method="unet_plus_plus"),
        train=TrainConfig(
            epochs=60,
            optimizer="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            warmup=0.1,
            label_smoothing=0.05,
            ema_momentum=0.99,
        ),
    )
