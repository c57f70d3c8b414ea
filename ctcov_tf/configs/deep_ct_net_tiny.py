"""Deep-CT-Net in small, for the demonstration and for tests: trains on phantoms in minutes on two cores.

    python train.py deep_ct_net_tiny

Same blocks, layers and head as `deep_ct_net`, with fewer and narrower ones. It is no model for patients.
"""

from ctcov_tf.config import Config, DataConfig, DeepCTNetConfig, PreprocessConfig, TrainConfig


def get_config() -> Config:
    """Settings of the demonstration."""
    return Config(
        data=DataConfig(dataset="phantom/ct"),
        preprocess=PreprocessConfig(image_size=96),
        model=DeepCTNetConfig(
            blocks=(3, 6, 6, 4),
            growth_rate=16,
            stem_channels=32,
            output_stride=16,
            attention="slim",
            attention_channels=32,
            attention_levels=2,
        ),
        train=TrainConfig(
            epochs=16,
            optimizer="adamw",
            learning_rate=2e-3,
            schedule="cosine",
            warmup=0.1,
            ema_momentum=0.98,
        ),
    )
