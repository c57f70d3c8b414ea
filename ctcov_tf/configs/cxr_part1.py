"""Part 1 of Deep-CXR-Net as the paper trains it: likelihoods of six findings, on CheXpert.

    python train.py cxr_part1 --run-dir runs/cxr_part1

Sections 2.3 and 4.2; the six are a setting (`--findings`), as is what uncertain and unmentioned ones count as. Needs
CheXpert, which its owners give to those who ask; without it see `cxr_part1_slim`, or import a part 1 from
TorchXRayVision. The backbone starts from ImageNet weights, which Keras downloads once.
"""

from ctcov_tf.config import Config, DataConfig, DeepCTNetConfig, TrainConfig


def get_config() -> Config:
    """The paper's settings; three passes over CheXpert, of which the paper gives no number."""
    return Config(
        data=DataConfig(dataset="chexpert", positive="pneumonia", cache=False),
        model=DeepCTNetConfig(head="findings", weights="imagenet"),
        train=TrainConfig(epochs=3),
    )
