"""The pre-processing of section 4.1 with OpenCV, for training and evaluation; no TensorFlow.

`ctcov_tf.preprocessing.preprocess` is the same as graph code, for exported models. Both give the same grey levels bit
for bit, at a quarter of the graph's cost here.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ctcov_tf.config import PreprocessConfig
from ctcov_tf.images.resize import resize


def grey_levels(image: npt.NDArray, config: PreprocessConfig) -> npt.NDArray:
    """Equalises, resizes and blurs, as far as the configuration says so.

    Args:
      image: uint8 (height, width).
      config: side of the result, at least 2 pixels, and the steps.

    Returns:
      uint8 (image_size, image_size).
    """
    if config.equalise:
        image = cv2.equalizeHist(image)
    image = resize(image, config.image_size)
    return cv2.GaussianBlur(image, (3, 3), 0) if config.blur else image


def preprocess(image: npt.NDArray, config: PreprocessConfig, result: npt.NDArray) -> None:
    """Makes an image what the network sees.

    Args:
      image: uint8 (height, width).
      config: side of the result and the steps.
      result: float32 (image_size, image_size, 3), written to: grey, repeated; the mean is 0 and the deviation 1
        where the configuration standardises, else the values are in [0, 1].
    """
    levels = grey_levels(image, config)
    values: npt.NDArray
    if config.standardise:
        mean, deviation = (np.float32(value.item()) for value in cv2.meanStdDev(levels))
        smallest = np.float32(1 / config.image_size)  # as `preprocessing.standardise` holds it
        values = levels - mean
        values *= 1 / max(deviation, smallest)
    else:
        values = levels / np.float32(255)
    cv2.cvtColor(values, cv2.COLOR_GRAY2RGB, dst=result)


def preprocess_all(images: Sequence[npt.NDArray], config: PreprocessConfig) -> npt.NDArray:
    """Makes several images what the network sees.

    Args:
      images: uint8 (height, width) each, of any sizes.
      config: side of the result and the steps.

    Returns:
      float32 (images, image_size, image_size, 3), each as `preprocess` makes it.
    """
    seen = np.empty((len(images), config.image_size, config.image_size, 3), np.float32)
    for image, result in zip(images, seen, strict=True):
        preprocess(image, config, result)
    return seen
