"""Grad-CAM without gradients: the same heat map from built-in TFLite operators.

TFLite has no gradient of ReLU. The heads built here are short enough to write the gradient down: where a
feature map is flattened into dense layers, the spatial mean of the logit's gradient needs the first dense
kernel's mean over the map only, (channels, units), so the heat map adds almost nothing to the file.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from ctcov_tf import explain
from ctcov_tf.model_info import Labels
from ctcov_tf.models import scores

SCOPE = "heatmap"  # name scope of the operators behind the network

Cam = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def edge_cam(model: keras.Model, labels: Labels) -> Cam | None:
    """Builds the gradient-free form of `explain.GradCam(model, labels)`.

    Args:
      model: network from pre-processed images to logits.
      labels: what the logits mean.

    Returns:
      A function from images (batch, s, s, 3) to probabilities (batch, outputs) and heat maps
      (batch, h', w') in [0, 1], float32; None where the layers after the last feature map are others
      than (flatten, dense with ReLU, dense) or (global average pooling, dense).
    """
    names = [layer.name for layer in model.layers]
    head = model.layers[names.index(explain.GradCam(model, labels).layer) :]
    features, pool, *dense = [layer for layer in head if not isinstance(layer, keras.layers.Dropout)]
    _, height, width, channels = features.output.shape
    activations = [layer.activation for layer in dense if isinstance(layer, keras.layers.Dense)]
    column = slice(labels.outputs.index(labels.positive), labels.outputs.index(labels.positive) + 1)

    if isinstance(pool, keras.layers.Flatten) and activations == [keras.activations.relu, keras.activations.linear]:
        kernel = tf.reshape(dense[0].kernel, (height * width, channels, -1))
        to_channels = tf.transpose(tf.reduce_mean(kernel, axis=0) * dense[1].kernel[:, column][:, 0])
        hidden = dense[0].output
    elif isinstance(pool, keras.layers.GlobalAveragePooling2D) and activations == [keras.activations.linear]:
        to_channels = tf.transpose(dense[0].kernel[:, column] / (height * width))
        hidden = None
    else:
        return None

    outputs = [model.output, features.output] + ([] if hidden is None else [hidden])
    network = keras.Model(model.input, outputs)
    constant = tf.constant(to_channels.numpy())  # (units, channels); one row without a hidden layer

    def cam(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits, maps, *units = network(images, training=False)
        with tf.name_scope(SCOPE):
            active = tf.cast(units[0] > 0, tf.float32) if units else tf.ones_like(logits[:, :1])
            weights = tf.reshape(tf.matmul(active, constant), (-1, 1, 1, channels))
            heatmaps = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1))
            peaks = tf.reduce_max(heatmaps, axis=(1, 2), keepdims=True)
            heatmaps /= peaks + tf.cast(peaks <= 0, tf.float32)  # no small constant: float16 would make it 0
        return scores.probabilities(logits, labels), heatmaps

    return cam
