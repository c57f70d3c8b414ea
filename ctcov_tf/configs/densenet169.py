"""DenseNet-169 as the paper's reference 46 trains it: random crops and mirroring, Adam 1e-4, cosine schedule.

    python train.py densenet169 --weights imagenet

224 px. The original starts from ImageNet weights; without `--weights imagenet` training starts from random ones, for
which this learning rate is low.
"""

from ctcov_tf.config import AugmentConfig, BaselineConfig, Config, DataConfig, PreprocessConfig, TrainConfig


def get_config() -> Config:
    """Settings of reference 46, as far as they are known."""
    return Config(
        data=DataConfig(dataset="covid_ct"),
        preprocess=PreprocessConfig(image_size=224),
        augment=AugmentConfig(rotation_degrees=0.0, translation=0.0, flip=True, crop=0.5),
        model=BaselineConfig(method="densenet169"),
        train=TrainConfig(epochs=50, learning_rate=1e-4, schedule="cosine"),
    )
