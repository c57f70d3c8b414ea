"""`deep_ct_net_slim` from pre-trained weights, taught by three networks that start from ImageNet.

    for seed in 0 1 2; do python train.py deep_ct_net_edge --seed $seed --run-dir runs/edge_$seed; done
    python train.py pretrain_cxr
    python train.py pretrain_ct_rotation --init-from runs/pretrain_cxr
    python train.py deep_ct_net_slim_distilled

The mean of the teachers, which see every slice mirrored too, is half of its targets (arXiv 1503.02531).
"""

import dataclasses

from ctcov_tf.config import AugmentConfig, Config, PreprocessConfig
from ctcov_tf.configs import deep_ct_net_slim


def get_config() -> Config:
    """Settings of `deep_ct_net_slim`, with a start, teachers and mirrored slices."""
    base = deep_ct_net_slim.get_config()
    return dataclasses.replace(
        base,
        preprocess=PreprocessConfig(image_size=256),
        augment=AugmentConfig(flip=True),
        train=dataclasses.replace(
            base.train,
            epochs=5,
            early_stages=((128, 18),),
            checkpoint="last",
            init_from="runs/pretrain_ct_rotation",
            teachers=("runs/edge_0", "runs/edge_1", "runs/edge_2"),
        ),
    )
