"""COVID-ResNet as the paper's reference 11 trains it: ResNet-50 at 128, 224 and 229 px in turn, 41 epochs.

    python train.py covid_resnet --weights imagenet

Learning rates rise from the first layer to the last; how the epochs are divided among the sizes is ours. The original
starts from ImageNet weights; without `--weights imagenet` training starts from random ones.
"""

from ctcov_tf.config import AugmentConfig, BaselineConfig, Config, DataConfig, PreprocessConfig, TrainConfig


def get_config() -> Config:
    """Settings of reference 11, as far as they are known."""
    return Config(
        data=DataConfig(dataset="covid_cxr"),
        preprocess=PreprocessConfig(image_size=229),
        augment=AugmentConfig(flip=True),
        model=BaselineConfig(method="covid_resnet"),
        train=TrainConfig(
            epochs=11,
            early_stages=((128, 15), (224, 15)),
            learning_rate=1e-3,
            schedule="cosine",
            warmup=0.1,
            first_layer_rate=0.1,
        ),
    )
