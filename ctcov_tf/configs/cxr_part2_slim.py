"""Part 2 of Deep-CXR-Net with slim attention, from random weights, for a machine without a GPU.

    python train.py cxr_part2_slim

DenseNet-121 at 96 px, then 128 px; AdamW with warm-up and a cosine schedule, label smoothing and a moving average of
the weights.
"""

from ctcov_tf.config import Config, DataConfig, DeepCTNetConfig, PreprocessConfig, TrainConfig

NETWORK = DeepCTNetConfig(head="two_class", attention="slim", attention_levels=2, dropout=0.2)


def get_config() -> Config:
    """Settings for training from scratch on two cores."""
    return Config(
        data=DataConfig(dataset="chest_xray_pneumonia", positive="pneumonia"),
        preprocess=PreprocessConfig(image_size=128),
        model=NETWORK,
        train=TrainConfig(
            epochs=4,
            early_stages=((96, 10),),
            optimizer="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            warmup=0.1,
            label_smoothing=0.05,
            ema_momentum=0.98,
        ),
    )
