"""From a compared method's configuration to its network."""

from collections.abc import Callable

import keras

from ctcov_tf.config import BaselineConfig, Method
from ctcov_tf.models.baselines import (
    caad,
    covid_resnet,
    covnet,
    densenet169,
    dl_system,
    hall,
    hybrid_3d,
    light_cnn,
    resnet50,
    unet_plus_plus,
    xdnn,
)

Build = Callable[[BaselineConfig, keras.KerasTensor, int], keras.KerasTensor]

_BUILDERS: dict[Method, Build] = {
    "covnet": covnet.logits,
    "dl_system": dl_system.logits,
    "hybrid_3d": hybrid_3d.logits,
    "unet_plus_plus": unet_plus_plus.logits,
    "densenet169": densenet169.logits,
    "resnet50": resnet50.logits,
    "xdnn": xdnn.logits,
    "light_cnn": light_cnn.logits,
    "caad": caad.logits,
    "covid_resnet": covid_resnet.logits,
    "hall": hall.logits,
}

_TRAINED_HEADS: dict[Method, tuple[str, ...]] = {"caad": caad.TRAINED_HEADS, "hall": hall.TRAINED_HEADS}


def baseline(config: BaselineConfig, image_size: int, outputs: int) -> keras.Model:
    """Builds a compared method.

    Args:
      config: which, and its backbone's first weights.
      image_size: side of the input, pixels; at least 32.
      outputs: number of logits.

    Returns:
      Functional model over one flat graph: `image` float32 (batch, size, size, 3), pre-processed, to `logits`
      float32 (batch, outputs).

    Raises:
      CtcovError: the backbone's weights cannot be had or do not fit, or the method has no such head.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    return keras.Model(image, _BUILDERS[config.method](config, image, outputs), name=config.method)


def trained_form(config: BaselineConfig, model: keras.Model) -> keras.Model:
    """The network as it is trained: where its answer is made of heads with losses of their own, these stand behind it.

    Args:
      config: of the model.
      model: what `baseline` built.

    Returns:
      A model over the same layers whose output is (batch, outputs + what the heads give), logits first; `model` itself
      where the method has no such heads.
    """
    heads = [model.get_layer(name).output for name in _TRAINED_HEADS.get(config.method, ())]
    if not heads:
        return model
    joined = keras.layers.Concatenate(dtype="float32", name="logits_and_heads")([model.output, *heads])
    return keras.Model(model.input, joined, name=model.name)
