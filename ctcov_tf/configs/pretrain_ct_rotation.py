"""Pre-training for `deep_ct_net_slim` without a diagnosis: by how many quarter turns is a CT slice turned?

    python train.py pretrain_ct_rotation
    python train.py deep_ct_net_slim --init-from runs/pretrain_ct_rotation

Every training image in four turns is four images of an epoch (arXiv 1803.07728); validation and test images are turned
alike. No model for patients: a start for one (`docs/pretraining.md`).
"""

import dataclasses

from ctcov_tf.config import Config, DataConfig
from ctcov_tf.configs import deep_ct_net_slim, pretrain_cxr


def get_config() -> Config:
    """Settings of `pretrain_cxr`, another task."""
    base = pretrain_cxr.get_config()
    return dataclasses.replace(
        base,
        data=DataConfig(dataset="covid_ct", task="rotation", positive="upright"),
        model=dataclasses.replace(deep_ct_net_slim.NETWORK, head="four_class"),
        train=dataclasses.replace(base.train, epochs=8),
    )
