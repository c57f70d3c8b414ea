"""Light CNN (reference 29 of the paper): SqueezeNet 1.1 with a transposed-convolution skip block.

Approximated: how the skip block joins its two maps is ours. The last map is enlarged by a transposed convolution to the
size of an earlier one (after fire5), concatenated with it, and convolved, before the classifier.
"""

import keras

from ctcov_tf import errors
from ctcov_tf.config import BaselineConfig
from ctcov_tf.models.baselines.pooled import pooled_logits
from ctcov_tf.models.baselines.squeeze_net import squeeze_net
from ctcov_tf.models.baselines.upsampled import upsampled

CHANNELS = 256


def logits(config: BaselineConfig, image: keras.KerasTensor, outputs: int) -> keras.KerasTensor:
    """Builds the network.

    Args:
      config: dropout.
      image: (batch, size, size, 3) float32, pre-processed.
      outputs: number of logits.

    Returns:
      (batch, outputs) float32.

    Raises:
      CtcovError: weights are asked for; keras.applications has none of SqueezeNet.
    """
    if config.weights != "none":
        raise errors.CtcovError(f"weights {config.weights}: there are none of light_cnn: choose --weights none")
    maps = squeeze_net(image)
    skip = maps["fire5"]
    x = upsampled(maps["fire9"], skip, CHANNELS, "skip_up")
    x = keras.layers.Activation("relu", name="skip_relu")(x)
    x = keras.layers.Concatenate(name="skip")([skip, x])
    x = keras.layers.Conv2D(CHANNELS, 1, activation="relu", kernel_initializer="he_normal", name="skip_conv")(x)
    return pooled_logits(config, x, outputs)
