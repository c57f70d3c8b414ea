"""Grad-CAM without gradients: the heat maps of `explain.ExplainedAnswers` from built-in TFLite operators."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from ctcov_tf.explain import explained_network
from ctcov_tf.export import edge_gradients
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import input_gate, scores
from ctcov_tf.models.input_gate import InputGate


class EdgeAnswers:
    """What `scores.Answers` gives, with heat maps of the network and of the frozen parts."""

    def __init__(
        self, model: keras.Model, labels: Labels, parts: Sequence[PartInfo] = (), gate: InputGate | None = None
    ):
        """Prepares the passes.

        Args:
          model: functional model of one flat graph, from pre-processed images to logits.
          labels: what the logits mean.
          parts: the frozen parts inside the model.
          gate: on this model; None answers every image.

        Raises:
          CtcovError: the model has no feature map, or not these parts.
        """
        self._model, self._labels = explained_network(model, labels, parts, gate)
        self._parts, self._gate = parts, gate

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers and explains a batch; in a `tf.function` only.

        Args:
          images: (batch, size, size, 3) float32, pre-processed, of a known shape.

        Returns:
          What `scores.Answers` gives, and `heatmap` and, by each part, `heatmap_<part>`, (batch, h', w') float32 in
          [0, 1]: all of them, or none where `edge_gradients` does not know a network's layers. With a gate as
          `input_gate.refuse` gives them.
        """
        outputs = self._model(images, training=False)
        count = len(self._labels)
        pairs, score = outputs[: 2 * count], outputs[2 * count :]
        found, maps = [], []
        for labels, features, logits in zip(self._labels, pairs[::2], pairs[1::2], strict=True):
            probabilities = scores.probabilities(logits, labels)
            found.append(probabilities)
            with tf.name_scope("heatmap"):
                maps.append(_heatmaps(features, logits, scores.explained_output(probabilities, labels)))
        answers = {"probabilities": found[0], **scores.by_name(found[1:], self._parts)}
        names = ["heatmap", *(f"heatmap_{part.name}" for part in self._parts)]
        if all(one is not None for one in maps):
            answers |= zip(names, maps, strict=True)
        return input_gate.refuse(answers, *score) if self._gate else answers


def _heatmaps(features: tf.Tensor, logits: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor | None:
    weights = edge_gradients.mean_gradient(logits, features, chosen)
    if weights is None:
        return None
    heatmaps = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))
    peaks = tf.reduce_max(heatmaps, axis=(1, 2), keepdims=True)
    return heatmaps / (peaks + tf.cast(peaks <= 0, tf.float32))  # no small constant: float16 would make it 0
