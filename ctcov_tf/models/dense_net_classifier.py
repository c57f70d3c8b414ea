"""DenseNet (arXiv 1608.06993) with its own classifier: global average pooling and one dense layer."""

import keras

from ctcov_tf.config import DenseNetClassifierConfig
from ctcov_tf.models import backbone_weights, backbones


def dense_net_classifier(config: DenseNetClassifierConfig, image_size: int, outputs: int) -> keras.Model:
    """Builds the network.

    Args:
      config: widths, depths and the scaling of the input; `config.weights` fills the backbone.
      image_size: side of the input, pixels.
      outputs: number of logits.

    Returns:
      Functional model over one flat graph: `image` float32 (batch, size, size, 3), pre-processed, to
      `logits` float32 (batch, outputs).

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    scale, offset = config.input_scale, config.input_offset
    x = keras.layers.Rescaling(scale, offset, dtype="float32", name="rescaling")(image)
    features = backbones.dense_net(
        x, blocks=config.blocks, growth_rate=config.growth_rate, stem_channels=config.stem_channels
    )
    backbone_weights.load(keras.Model(image, features, name="backbone"), config.weights)
    x = keras.layers.GlobalAveragePooling2D(name="average_pool")(features)
    logits = keras.layers.Dense(outputs, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="dense_net_classifier")
