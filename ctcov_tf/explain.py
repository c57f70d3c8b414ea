"""Grad-CAM (arXiv 1610.02391) as graph code: where the evidence for the positive class lies."""

import keras
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.model_info import Labels
from ctcov_tf.models import scores


class GradCam:
    """Probabilities and heat maps of the positive class, in one pass forward and one back.

    Each channel of a feature map is weighted by the spatial mean of the gradient of the positive class's
    logit; the heat map is the positive part of their sum. Works eagerly, in a `tf.function` and in the
    endpoint of a SavedModel that holds the model.

    Attributes:
      layer: name of the layer whose output is weighted.
    """

    def __init__(self, model: keras.Model, labels: Labels, layer: str | None = None):
        """Prepares the pass.

        Args:
          model: functional model of one flat graph, from pre-processed images to logits.
          labels: what the logits mean.
          layer: name of a layer with an output of shape (batch, height, width, channels). If not given,
            the last rectified one: Grad-CAM weighs channels as evidence, which needs maps of one sign.
            Behind pyramid attention and batch norm maps have both, and hit planted lesions no more
            often than chance.

        Raises:
          CtcovError: the model has no such layer.
        """
        maps = [one.name for one in model.layers if _is_map(one)]
        if not maps:
            raise errors.CtcovError(
                f"model {model.name}: has no feature map to explain: choose a convolutional network"
            )
        rectified = [name for name in maps if _is_rectified(model.get_layer(name))]
        self.layer = layer or (rectified or maps)[-1]
        if self.layer not in maps:
            raise errors.CtcovError(
                f"layer {self.layer!r} of {model.name}: gives no feature map: choose one such as {', '.join(maps[-5:])}"
            )
        self._labels = labels
        self._logit = labels.positive_output
        self._model = keras.Model(model.input, [model.get_layer(self.layer).output, model.output])

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Explains a batch.

        Args:
          images: (batch, size, size, 3) float32, pre-processed.

        Returns:
          Probabilities (batch, outputs) float32 and heat maps (batch, h', w') float32 in [0, 1], each
          scaled to a maximum of 1; one without evidence for the positive class is zero everywhere.
        """
        images = tf.convert_to_tensor(images)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            features, logits = self._model(images, training=False)
            logit = logits[:, self._logit]
        gradients = tf.cast(tape.gradient(logit, features), tf.float32)
        weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
        heatmaps = tf.nn.relu(tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1))
        peaks = tf.reduce_max(heatmaps, axis=(1, 2), keepdims=True)
        return scores.probabilities(logits, self._labels), tf.math.divide_no_nan(heatmaps, peaks)


def _is_map(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.InputLayer):
        return False
    shape: tuple[int | None, ...] = getattr(layer.output, "shape", ())
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _is_rectified(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.relu
