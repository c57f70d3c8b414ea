"""xDNN (reference 2 of the paper; arXiv 1912.02523): the nearest prototype among VGG-16 features.

The features, 4096 of the second fully connected layer, are standardised and brought to a length of 1. The prototypes
are learnt in one pass over the training images, without gradients (`training.prototypes`); no weight is trained.

Approximated: from its published form, without the original's code.
"""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from ctcov_tf import errors
from ctcov_tf.config import BaselineConfig
from ctcov_tf.layers import NearestPrototype
from ctcov_tf.models.baselines import published

FEATURES = "fc2"
"""Layer that gives the features."""


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network with one random prototype a class.

    Args:
      config: weights of the backbone.
      image: (batch, size, size, 3) float32, pre-processed; 224 px for ImageNet weights.
      outputs: number of logits; 1 stands for two classes.

    Returns:
      (batch, outputs) float32.

    Raises:
      CtcovError: the head is that of findings, or the weights cannot be had or do not fit.
    """
    if config.head == "findings":
        raise errors.CtcovError("head findings: xdnn tells classes apart that exclude each other: choose --head binary")
    if config.weights == "imagenet" and image.shape[1] != 224:
        raise errors.CtcovError("weights imagenet: those of VGG-16's features are for 224 px: choose --image-size 224")
    features = published.vgg16(image, config.weights, fully_connected=True)
    for layer in keras.Model(image, features).layers:
        layer.trainable = False
    return NearestPrototype((1,) * max(2, outputs), outputs, name="logits")(features)


def with_prototypes(
    model: keras.Model, mean: npt.NDArray, scale: npt.NDArray, prototypes: Sequence[npt.NDArray]
) -> keras.Model:
    """The network with what was learnt in place of its random prototypes.

    Args:
      model: what `logits` stands in.
      mean: (4096,), of the training images' features.
      scale: (4096,), that the centred features are multiplied by.
      prototypes: (number, 4096) of each class.

    Returns:
      A network over the same backbone.
    """
    layer = NearestPrototype(tuple(map(len, prototypes)), model.output_shape[-1], name="logits")
    answer = layer(model.get_layer(FEATURES).output)
    layer.set_weights([mean, scale, np.concatenate(prototypes)])
    return keras.Model(model.input, answer, name=model.name)
