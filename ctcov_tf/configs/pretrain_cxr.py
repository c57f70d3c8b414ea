"""Pre-training for `deep_ct_net_slim`: three classes of chest radiographs, from random weights.

    python train.py pretrain_cxr
    python train.py pretrain_ct_rotation --init-from runs/pretrain_cxr
    python train.py deep_ct_net_slim --init-from runs/pretrain_ct_rotation

COVID-19, other pneumonia and neither, split by patient; `cxr_part2_slim` does the same on the Kermany radiographs. No
model for patients: a start for one (`docs/pretraining.md`).
"""

import dataclasses

from ctcov_tf.config import Config, DataConfig, PreprocessConfig
from ctcov_tf.configs import deep_ct_net_slim


def get_config() -> Config:
    """Settings of `deep_ct_net_slim` at one small image size."""
    base = deep_ct_net_slim.get_config()
    return dataclasses.replace(
        base,
        data=DataConfig(dataset="covid_cxr"),
        preprocess=PreprocessConfig(image_size=96),
        model=dataclasses.replace(deep_ct_net_slim.NETWORK, head="three_class"),
        train=dataclasses.replace(base.train, epochs=20, early_stages=()),
    )
