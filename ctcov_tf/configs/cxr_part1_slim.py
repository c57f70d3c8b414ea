"""Part 1 of Deep-CXR-Net with slim attention, from random weights, for a machine without a GPU.

    python train.py cxr_part1_slim

Trains on synthetic radiographs, which anyone can draw; with CheXpert at hand give `--dataset chexpert --no-cache`.
"""

import dataclasses

from ctcov_tf.config import Config, DataConfig
from ctcov_tf.configs import cxr_part2_slim


def get_config() -> Config:
    """Settings of part 2, with findings to learn."""
    return dataclasses.replace(
        cxr_part2_slim.get_config(),
        data=DataConfig(dataset="phantom/cxr", positive="pneumonia"),
        model=dataclasses.replace(cxr_part2_slim.NETWORK, head="findings"),
    )
