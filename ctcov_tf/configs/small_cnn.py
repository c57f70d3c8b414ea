"""A small residual network, the reference that Deep-CT-Net has to beat.

    python train.py small_cnn --dataset covid_ct

About 1.3 million parameters, no attention. On COVID-CT, two cores: 8 minutes of CPU time, test AUC 0.785
[0.685, 0.865], one training (`docs/covid_ct_run.md`).
"""

from ctcov_tf.config import Config, DataConfig, PreprocessConfig, SmallCNNConfig, TrainConfig


def get_config() -> Config:
    """Settings for training from scratch on two cores."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        preprocess=PreprocessConfig(image_size=128),
        model=SmallCNNConfig(),
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
