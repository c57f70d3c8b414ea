"""Deep-CXR-Net with slim attention, part 3 from random weights, for a machine without a GPU.

    python train.py cxr_part1_slim
    python train.py cxr_part2_slim
    python train.py deep_cxr_net_slim

DenseNet-121 at 96 px, then 128 px, on COVID-19 radiographs split by patient.
"""

import dataclasses

from ctcov_tf.config import Config, DataConfig, DeepCXRNetConfig
from ctcov_tf.configs import cxr_part2_slim


def get_config() -> Config:
    """Settings for training from scratch on two cores."""
    return dataclasses.replace(
        cxr_part2_slim.get_config(),
        data=DataConfig(dataset="covid_cxr"),
        model=DeepCXRNetConfig(
            attention="slim",
            attention_levels=2,
            dropout=0.2,
            part1="runs/cxr_part1_slim",
            part2="runs/cxr_part2_slim",
        ),
    )
