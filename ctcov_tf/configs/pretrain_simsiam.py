"""Pre-training for `deep_ct_net_slim` without labels: two views of one CT slice or radiograph, one embedding (SimSiam).

    python train.py pretrain_simsiam
    python train.py deep_ct_net_slim --init-from runs/pretrain_simsiam

The training parts of three datasets are learnt from (arXiv 2011.10566); the labels of the first only judge the
features of each epoch. The last epoch is kept. It answers nothing itself: a start for a model (`docs/pretraining.md`).
"""

from ctcov_tf.config import AugmentConfig, Config, DataConfig, PreprocessConfig, SimSiamConfig, TrainConfig


def get_config() -> Config:
    """Settings for two cores: small images, batches of 64."""
    return Config(
        data=DataConfig(dataset="covid_ct", also=("covid_cxr", "chest_xray_pneumonia")),
        preprocess=PreprocessConfig(image_size=96),
        augment=AugmentConfig(flip=True, crop=0.2, contrast=0.4, brightness=0.4),
        model=SimSiamConfig(),
        train=TrainConfig(
            epochs=40,
            batch_size=64,
            optimizer="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            warmup=0.1,
            checkpoint="last",
        ),
    )
