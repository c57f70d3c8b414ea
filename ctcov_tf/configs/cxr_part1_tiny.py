"""Part 1 of Deep-CXR-Net in small, for the demonstration and for tests, on synthetic radiographs.

    python train.py cxr_part1_tiny

It is no model for patients.
"""

import dataclasses

from ctcov_tf.config import Config, DataConfig
from ctcov_tf.configs import cxr_part2_tiny, deep_ct_net_tiny


def get_config() -> Config:
    """Settings of the demonstration."""
    return dataclasses.replace(
        cxr_part2_tiny.get_config(),
        data=DataConfig(dataset="phantom/cxr", positive="pneumonia"),
        model=dataclasses.replace(deep_ct_net_tiny.NETWORK, head="findings"),
    )
