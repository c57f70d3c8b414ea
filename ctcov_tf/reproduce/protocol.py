"""What all methods of a table have in common: images, pre-processing, augmentation and training.

A method keeps its network, and what defines it beside that: COVID-ResNet its stages of image size and its learning
rates that rise from layer to layer, COVNet and Hybrid-3D their bags of slices. Everything else that its authors did in
training (other optimizers, rates, crops) gives way to one recipe, AdamW at 1e-3 with warm-up, cosine and averaged
weights, which trains from random weights in few epochs. Only networks without batch normalisation keep the lower rate
of their presets. A preset that names an arithmetic keeps it, which is a matter of speed.
"""

import dataclasses
from typing import Any, Literal

from ctcov_tf import configs
from ctcov_tf.config import AugmentConfig, Config, DataConfig, FusionConfig, PreprocessConfig, TrainConfig
from ctcov_tf.datasets import contents

IMAGE_SIZE = 128
EPOCHS = 36
BATCH_SIZE = 16  # images, whether single or in bags
LEARNING_RATE = 1e-3

STAGED = ("covid_resnet",)
"""Presets that train at several image sizes in turn by definition."""

WITHOUT_BATCH_NORM = ("light_cnn", "hall")
"""Presets of networks that need a lower learning rate than others."""

_DEFINING = ("first_layer_rate",)  # other settings of training that define these


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The settings of a table.

    Attributes:
      dataset: TFDS name of what the methods are trained on.
      data_dir: where it, and `judged_on`, were built; TFDS's own default if None.
      judged_on: TFDS name of another dataset whose test part judges them; None: that of `dataset`.
      image_size: side of the images, pixels.
      epochs: passes over the training images.
      weights: what backbones start from.
      part1: run directory of Deep-CXR-Net's first frozen part.
      part2: that of its second; without both, part 3 is trained alone.
    """

    dataset: str
    data_dir: str | None = None
    judged_on: str | None = None
    image_size: int = IMAGE_SIZE
    epochs: int = EPOCHS
    weights: Literal["none", "imagenet"] = "none"
    part1: str | None = None
    part2: str | None = None

    @property
    def data(self) -> DataConfig:
        """The dataset that the methods are trained on."""
        return DataConfig(dataset=self.dataset, data_dir=self.data_dir)

    @property
    def judging(self) -> DataConfig:
        """The dataset whose test part judges them."""
        return dataclasses.replace(self.data, dataset=self.judged_on or self.dataset)

    def config(self, preset: str, seed: int = 0) -> Config:
        """A preset's configuration under these settings.

        Args:
          preset: name of the preset.
          seed: of weights, order and augmentation.

        Raises:
          CtcovError: there is no such preset.
        """
        given = configs.load(preset)
        train = TrainConfig(
            epochs=self.epochs,
            batch_size=max(1, BATCH_SIZE // self.slices_of(given)),
            optimizer="adamw",
            learning_rate=given.train.learning_rate if preset in WITHOUT_BATCH_NORM else LEARNING_RATE,
            schedule="cosine",
            warmup=0.1,
            label_smoothing=0.05,
            ema_momentum=0.99,
            precision=given.train.precision,
            seed=seed,
        )
        if preset in STAGED:
            train = self._staged(given, train)
        return Config(
            data=self.data,
            preprocess=PreprocessConfig(image_size=self.image_size),
            augment=AugmentConfig(),
            model=self._model(given.model),
            train=train,
        )

    def slices_of(self, config: Config) -> int:
        """Slices of a group that a method answers at once; 1 where the dataset has no group of several images.

        Args:
          config: of the method.

        Raises:
          CtcovError: the method takes several, and the dataset cannot be read.
        """
        slices: int = getattr(config.model, "slices", 1)
        if slices == 1 or contents.metadata(self.data, "train")["group_id"].is_unique:
            return 1
        return slices

    def _model(self, model: Any) -> Any:
        changed: dict[str, Any] = {"weights": self.weights} if hasattr(model, "weights") else {}
        if isinstance(model, FusionConfig):
            if self.part1 and self.part2:
                changed |= {"part1": self.part1, "part2": self.part2}
            else:
                changed["parts"] = "none"
        return dataclasses.replace(model, **changed)

    def _staged(self, given: Config, train: TrainConfig) -> TrainConfig:
        """The preset's stages, in its own proportions of size and epochs, within this size and these epochs."""
        size, epochs = given.preprocess.image_size, given.train.epochs
        whole = epochs + sum(of_stage for _, of_stage in given.train.early_stages)
        stages: list[tuple[int, int]] = []
        left = self.epochs
        for stage_size, stage_epochs in given.train.early_stages:
            share = min(left - 1, max(1, round(self.epochs * stage_epochs / whole)))
            if share > 0:
                stages.append((round(self.image_size * stage_size / size), share))
                left -= share
        kept = {name: getattr(given.train, name) for name in _DEFINING if hasattr(given.train, name)}
        return dataclasses.replace(train, early_stages=tuple(stages), epochs=left, **kept)
