"""Part 2 of Deep-CXR-Net in small, for the demonstration and for tests, on synthetic radiographs.

    python train.py cxr_part2_tiny

It is no model for patients.
"""

import dataclasses

from ctcov_tf.config import AugmentConfig, Config, DataConfig, PreprocessConfig
from ctcov_tf.configs import deep_ct_net_tiny


def get_config() -> Config:
    """Settings of the demonstration."""
    base = deep_ct_net_tiny.get_config()
    return dataclasses.replace(
        base,
        data=DataConfig(dataset="phantom/cxr_pneumonia", positive="pneumonia"),
        preprocess=PreprocessConfig(image_size=80),
        augment=AugmentConfig(),
        model=dataclasses.replace(deep_ct_net_tiny.NETWORK, head="two_class"),
        train=dataclasses.replace(base.train, epochs=12),
    )
