"""Part 2 of Deep-CXR-Net as the paper trains it: pneumonia and normal, on the Kermany (Kaggle) radiographs.

    python train.py cxr_part2 --run-dir runs/cxr_part2

Sections 2.3 and 4.2. The backbone starts from ImageNet weights, which Keras downloads once; without a connection see
`cxr_part2_slim`.
"""

from ctcov_tf.config import Config, DataConfig, DeepCTNetConfig, TrainConfig


def get_config() -> Config:
    """The paper's settings; the number of epochs is ours."""
    return Config(
        data=DataConfig(dataset="chest_xray_pneumonia", positive="pneumonia"),
        model=DeepCTNetConfig(head="two_class", weights="imagenet"),
        train=TrainConfig(epochs=20),
    )
