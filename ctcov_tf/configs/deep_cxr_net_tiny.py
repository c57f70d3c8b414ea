"""Deep-CXR-Net in small, for the demonstration and for tests: fuses the two small parts on synthetic radiographs.

    python train.py cxr_part1_tiny
    python train.py cxr_part2_tiny
    python train.py deep_cxr_net_tiny

It is no model for patients.
"""

import dataclasses

from ctcov_tf.config import Config, DataConfig, DeepCXRNetConfig
from ctcov_tf.configs import cxr_part2_tiny


def get_config() -> Config:
    """Settings of the demonstration."""
    base = cxr_part2_tiny.get_config()
    return dataclasses.replace(
        base,
        data=DataConfig(dataset="phantom/cxr_covid"),
        model=DeepCXRNetConfig(
            blocks=(3, 6, 6, 4),
            growth_rate=16,
            stem_channels=32,
            output_stride=16,
            attention="slim",
            attention_channels=32,
            attention_levels=2,
            part1="runs/cxr_part1_tiny",
            part2="runs/cxr_part2_tiny",
        ),
        train=dataclasses.replace(base.train, epochs=16),
    )
