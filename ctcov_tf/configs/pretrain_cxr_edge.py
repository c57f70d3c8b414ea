"""Pre-training as `pretrain_cxr`, for the backbone of `deep_ct_net_edge`.

    python train.py pretrain_cxr_edge
    python train.py deep_ct_net_edge --init-from runs/pretrain_cxr_edge

It starts from ImageNet weights, as `deep_ct_net_edge` does.
"""

import dataclasses

from ctcov_tf.config import Config
from ctcov_tf.configs import deep_ct_net_edge, pretrain_cxr


def get_config() -> Config:
    """Settings of `pretrain_cxr`, another backbone."""
    network = dataclasses.replace(deep_ct_net_edge.NETWORK, head="three_class")
    return deep_ct_net_edge.with_network(pretrain_cxr.get_config(), network)
