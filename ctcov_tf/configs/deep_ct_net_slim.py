"""Deep-CT-Net with slim attention, from random weights, for a machine without a GPU.

    python train.py deep_ct_net_slim --dataset covid_ct

AdamW with warm-up and a cosine schedule, label smoothing and a moving average of the weights; most steps
at a small image size, the last at a larger one. On COVID-CT, two cores without bfloat16 instructions: 33
minutes of CPU time, 25 of the clock on a busy machine, test AUC 0.820 [0.729, 0.887], one training
(`docs/covid_ct_run.md`).
"""

from ctcov_tf.config import Config, DataConfig, DeepCTNetConfig, PreprocessConfig, TrainConfig

NETWORK = DeepCTNetConfig(attention="slim", attention_levels=2, dropout=0.2)


def get_config() -> Config:
    """Settings for training from scratch on two cores."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        preprocess=PreprocessConfig(image_size=160),
        model=NETWORK,
        train=TrainConfig(
            epochs=6,
            early_stages=((128, 30),),
            optimizer="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            warmup=0.1,
            label_smoothing=0.05,
            ema_momentum=0.99,
        ),
    )
