"""The pre-processing of section 4.1 as one layer, shared by SavedModel and TFLite.

`ctcov_tf.images.preprocess` is the same with OpenCV, for training and evaluation.
"""

from typing import Any

import keras
import tensorflow as tf

from ctcov_tf import config
from ctcov_tf.preprocessing import blur, equalise, grey, resize, standardise


@keras.saving.register_keras_serializable(package="ctcov_tf")
class Preprocess(keras.layers.Layer):
    """Equalise, resize, blur, standardise: any chest CT image to what the network sees (section 4.1).

    The grey levels equal those of `images.preprocess.grey_levels`, and so OpenCV's, bit for bit. The layer computes
    in float32 whatever the global dtype policy, and converts to TFLite's built-in operators with height and width
    left open.

    Args:
      image_size: side of the square result, pixels, at least 2.
      equalise: equalise the histogram at the native size.
      blur: Gaussian blur, window 3.
      standardise: subtract the image's mean and divide by its standard deviation; if not, scale to [0, 1].
      name: of the layer.

    Call arguments:
      images: uint8 or float (batch, height, width, 1 or 3), grey levels or RGB in [0, 255]. Floats are rounded to
        whole levels.

    Call returns:
      float32 (batch, image_size, image_size, 3): grey, repeated.
    """

    def __init__(
        self,
        image_size: int = config.IMAGE_SIZE,
        *,
        equalise: bool = True,
        blur: bool = True,
        standardise: bool = True,
        name: str | None = None,
    ) -> None:
        if image_size < 2:
            raise ValueError(f"image_size is {image_size}, it must be at least 2")
        super().__init__(name=name, dtype="float32", autocast=False)
        self.image_size = image_size
        self.equalise = equalise
        self.blur = blur
        self.standardise = standardise

    @classmethod
    def from_preprocess_config(cls, preprocess: config.PreprocessConfig) -> "Preprocess":
        """The layer that a configuration describes."""
        return cls(
            preprocess.image_size,
            equalise=preprocess.equalise,
            blur=preprocess.blur,
            standardise=preprocess.standardise,
        )

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Runs the steps that are switched on."""
        images = _grey_levels(images)
        images = equalise.equalise(images) if self.equalise else tf.cast(images, tf.float32)
        images = resize.resize(images, self.image_size)
        images.set_shape([None, self.image_size, self.image_size, 1])
        if self.blur:
            images = blur.blur(images)
        images = standardise.standardise(images) if self.standardise else images / 255.0
        return tf.repeat(images, 3, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the result."""
        return (input_shape[0], self.image_size, self.image_size, 3)

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return {
            "name": self.name,
            "image_size": self.image_size,
            "equalise": self.equalise,
            "blur": self.blur,
            "standardise": self.standardise,
        }


def _grey_levels(images: tf.Tensor) -> tf.Tensor:
    """One channel of whole grey levels: uint8 (batch, height, width, 1)."""
    if images.dtype != tf.uint8:
        images = grey.round_to_levels(tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 255.0))
    if images.shape[-1] == 3:
        images = grey.to_grey(tf.cast(images, tf.float32))
    return tf.cast(images, tf.uint8)
