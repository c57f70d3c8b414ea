"""Pre-training as `pretrain_ct_rotation`, for the backbone of `deep_ct_net_edge`.

    python train.py pretrain_ct_rotation_edge
    python train.py deep_ct_net_edge --init-from runs/pretrain_ct_rotation_edge

It starts from ImageNet weights, as `deep_ct_net_edge` does.
"""

import dataclasses

from ctcov_tf.config import Config
from ctcov_tf.configs import deep_ct_net_edge, pretrain_ct_rotation


def get_config() -> Config:
    """Settings of `pretrain_ct_rotation`, another backbone."""
    network = dataclasses.replace(deep_ct_net_edge.NETWORK, head="four_class")
    return deep_ct_net_edge.with_network(pretrain_ct_rotation.get_config(), network)
