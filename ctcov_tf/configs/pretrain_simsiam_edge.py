"""Pre-training as `pretrain_simsiam`, for the backbone of `deep_ct_net_edge`.

    python train.py pretrain_simsiam_edge
    python train.py deep_ct_net_edge --init-from runs/pretrain_simsiam_edge

It starts from ImageNet weights, as `deep_ct_net_edge` does.
"""

from ctcov_tf.config import Config, SimSiamEdgeConfig
from ctcov_tf.configs import deep_ct_net_edge, pretrain_simsiam


def get_config() -> Config:
    """Settings of `pretrain_simsiam`, another backbone."""
    return deep_ct_net_edge.with_network(pretrain_simsiam.get_config(), SimSiamEdgeConfig(weights="imagenet"))
