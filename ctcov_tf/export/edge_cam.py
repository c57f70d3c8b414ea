"""Grad-CAM without gradients: the same heat map from built-in TFLite operators.

TFLite has no gradient of ReLU. Where global average pooling and one dense layer follow the explained map, the
mean gradient of a logit is that layer's kernel, and the heat map adds almost nothing to the file.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from ctcov_tf import explain
from ctcov_tf.model_info import Labels
from ctcov_tf.models import input_gate, scores
from ctcov_tf.models.input_gate import InputGate

SCOPE = "heatmap"  # name scope of the operators behind the network

Cam = Callable[[tf.Tensor], dict[str, tf.Tensor]]


def edge_cam(model: keras.Model, labels: Labels, gate: InputGate | None = None) -> Cam | None:
    """Builds the gradient-free form of `explain.GradCam(model, labels)`.

    Args:
      model: network from pre-processed images to logits.
      labels: what the logits mean.
      gate: on this model; None answers every image.

    Returns:
      A function from images (batch, s, s, 3) to `probabilities` (batch, outputs) and `heatmap`
      (batch, h', w') in [0, 1], float32, with a gate as `input_gate.refuse` gives them; None where more than
      global average pooling and a dense layer stands behind the explained map, as in Deep-CT-Net.
    """
    names = [layer.name for layer in model.layers]
    head = model.layers[names.index(explain.GradCam(model, labels).layer) :]
    without_effect = (keras.layers.Dropout, keras.layers.Rescaling)  # a temperature scales every map alike
    features, *rest = [layer for layer in head if not isinstance(layer, without_effect)]
    if [type(layer) for layer in rest] != [keras.layers.GlobalAveragePooling2D, keras.layers.Dense]:
        return None
    of_gate = [gate.output] if gate else []
    network = keras.Model(model.input, [model.output, features.output, *of_gate])
    _, height, width, _ = features.output.shape
    kernels = tf.constant(rest[-1].kernel.numpy().T / (height * width))  # (outputs, channels)

    def cam(images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, maps, *score = network(images, training=False)
        probabilities = scores.probabilities(logits, labels)
        with tf.name_scope(SCOPE):
            weights = tf.gather(kernels, scores.explained_output(probabilities, labels))[:, tf.newaxis, tf.newaxis]
            heatmaps = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1))
            peaks = tf.reduce_max(heatmaps, axis=(1, 2), keepdims=True)
            heatmaps /= peaks + tf.cast(peaks <= 0, tf.float32)  # no small constant: float16 would make it 0
        answers = {"probabilities": probabilities, "heatmap": heatmaps}
        return input_gate.refuse(answers, *score) if score else answers

    return cam
