"""Deep-CT-Net as the paper trains it: DenseNet-121, full-width pyramid attention, Adam 1e-5, BCE.

    python train.py deep_ct_net --dataset ctcov19

Sections 2.2, 4.1 and 4.2. The backbone starts from ImageNet weights, which Keras downloads once;
without a connection give `--weights none` or a file, and mind that 1e-5 from random weights needs far
more epochs than these: see `deep_ct_net_slim`.
"""

from ctcov_tf.config import Config, DataConfig, DeepCTNetConfig, TrainConfig


def get_config() -> Config:
    """The paper's settings."""
    return Config(
        data=DataConfig(dataset="ctcov19"),
        model=DeepCTNetConfig(weights="imagenet"),
        train=TrainConfig(epochs=50),
    )
