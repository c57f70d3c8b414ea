"""Deep-CT-Net in small, for the demonstration and for tests: trains on phantoms in minutes on two cores.

    python train.py deep_ct_net_tiny

Same blocks, layers and head as `deep_ct_net`, with fewer and narrower ones. Mirroring, which the paper does
not use, keeps 480 phantoms from being learnt by heart: validation AUC 0.872 [0.801, 0.934] with it and 24
epochs, 0.733 without it and 16, one training each. It is no model for patients.
"""

from ctcov_tf.config import AugmentConfig, Config, DataConfig, DeepCTNetConfig, PreprocessConfig, TrainConfig

NETWORK = DeepCTNetConfig(
    blocks=(3, 6, 6, 4),
    growth_rate=16,
    stem_channels=32,
    output_stride=16,
    attention="slim",
    attention_channels=32,
    attention_levels=2,
)


def get_config() -> Config:
    """Settings of the demonstration."""
    return Config(
        data=DataConfig(dataset="phantom/ct"),
        preprocess=PreprocessConfig(image_size=96),
        augment=AugmentConfig(flip=True),
        model=NETWORK,
        train=TrainConfig(
            epochs=24,
            optimizer="adamw",
            learning_rate=2e-3,
            schedule="cosine",
            warmup=0.1,
            ema_momentum=0.98,
        ),
    )
