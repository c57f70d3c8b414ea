"""Deep-CXR-Net as the paper trains it: part 3 fused with the likelihoods of two frozen parts, Adam 1e-5, BCE.

    python train.py deep_cxr_net --part1 runs/cxr_part1 --part2 runs/cxr_part2

Sections 2.3, 4.1 and 4.2. All three parts see the same pre-processed image, so they are trained with the same
pre-processing flags. The backbone starts from ImageNet weights; see `deep_cxr_net_slim` for training without them.
"""

from ctcov_tf.config import Config, DataConfig, DeepCXRNetConfig, TrainConfig


def get_config() -> Config:
    """The paper's settings."""
    return Config(
        data=DataConfig(dataset="covid_cxr"),
        model=DeepCXRNetConfig(weights="imagenet"),
        train=TrainConfig(epochs=50),
    )
