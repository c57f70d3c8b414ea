"""Grad-CAM (arXiv 1610.02391) as graph code: where the evidence for an answer lies."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import feature_maps, input_gate, scores
from ctcov_tf.models.input_gate import InputGate


class GradCam:
    """Probabilities and heat maps, in one pass forward and one back.

    Each channel of a feature map is weighted by the spatial mean of a logit's gradient; the heat map is the
    positive part of their sum. The logit is that of the positive class; for the head `findings` it is that of
    each image's likeliest finding (`scores.explained_output`). Works on its own, in a `tf.function` and in the
    endpoint of a SavedModel that holds the model; it is traced once, for batches of any size.

    Attributes:
      layer: name of the layer whose output is weighted.
      labels: what the logits mean.
      outputs: symbolic tensors of the model: the feature map and the logits.
    """

    def __init__(self, model: keras.Model, labels: Labels, layer: str | None = None, part: str | None = None):
        """Prepares the pass.

        Args:
          model: functional model of one flat graph, from pre-processed images to logits.
          labels: what the logits mean; those of the part if `part` is given.
          layer: name of a layer with an output of shape (batch, height, width, channels). If not given, the
            last rectified one, of Deep-CXR-Net that of part 3: Grad-CAM weighs channels as evidence, which
            needs maps of one sign. Behind pyramid attention and batch norm maps have both, and hit planted
            lesions no more often than chance.
          part: name of a frozen part of Deep-CXR-Net, to explain its own logits by its own maps.

        Raises:
          CtcovError: the model has no such part or layer.
        """
        if part and f"{part}_logits" not in [one.name for one in model.layers]:
            raise errors.CtcovError(f"model {model.name}: holds no {part}: explain a Deep-CXR-Net that fuses it")
        chosen = feature_maps.last_rectified(model, part)
        if chosen is None:
            raise errors.CtcovError(
                f"model {model.name}: has no feature map to explain: choose a convolutional network"
            )
        self.layer = layer or chosen.name
        maps = [one.name for one in feature_maps.feature_maps(model)]
        if self.layer not in maps:
            raise errors.CtcovError(
                f"layer {self.layer!r} of {model.name}: gives no feature map: choose one such as {', '.join(maps[-5:])}"
            )
        logits = model.get_layer(f"{part}_logits").output if part else model.output
        self.labels = labels
        self.outputs = [model.get_layer(self.layer).output, logits]
        self._explain = _explaining(keras.Model(model.input, self.outputs), [labels])

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Explains a batch.

        Args:
          images: (batch, size, size, 3) float32, pre-processed.

        Returns:
          Probabilities (batch, outputs) float32 and heat maps (batch, h', w') float32 in [0, 1], each
          scaled to a maximum of 1; one without evidence is zero everywhere.
        """
        (explained,), _ = self._explain(images)
        return explained


def explained_network(
    model: keras.Model, labels: Labels, parts: Sequence[PartInfo], gate: InputGate | None
) -> tuple[keras.Model, list[Labels]]:
    """The model with all outputs that heat maps of it and of its frozen parts need.

    Args:
      model: functional model of one flat graph, from pre-processed images to logits.
      labels: what the logits mean.
      parts: the frozen parts inside the model.
      gate: on this model, if there is one.

    Returns:
      The network, to a feature map and its logits for the model and for each part, then to the gate's score; and what
      these logits mean, in the same order.

    Raises:
      CtcovError: the model has no feature map, or not these parts.
    """
    cams = [GradCam(model, labels), *(GradCam(model, part.labels, part=part.name) for part in parts)]
    outputs = [output for cam in cams for output in cam.outputs]
    network = keras.Model(model.input, [*outputs, gate.output] if gate else outputs)
    return network, [cam.labels for cam in cams]


class ExplainedAnswers:
    """What `scores.Answers` gives, with heat maps of the network and of the frozen parts, in one pass forward."""

    def __init__(
        self, model: keras.Model, labels: Labels, parts: Sequence[PartInfo] = (), gate: InputGate | None = None
    ):
        """Prepares the pass.

        Args:
          model: functional model of one flat graph, from pre-processed images to logits.
          labels: what the logits mean.
          parts: the frozen parts inside the model.
          gate: on this model; None answers every image.

        Raises:
          CtcovError: the model has no feature map, or not these parts.
        """
        network, self._labels = explained_network(model, labels, parts, gate)
        self._parts, self._gate = parts, gate
        self._explain = _explaining(network, self._labels)

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers and explains a batch.

        Args:
          images: (batch, size, size, 3) float32, pre-processed.

        Returns:
          `probabilities` and the likelihoods as `scores.Answers` gives them; `heatmap` and, by each part,
          `heatmap_<part>`, (batch, h', w') float32 in [0, 1]; where findings are explained also `finding` or
          `finding_<part>`, (batch,) string: which one. With a gate as `input_gate.refuse` gives them.
        """
        explained, score = self._explain(images)
        suffixes = ["", *(f"_{part.name}" for part in self._parts)]
        answers = {"probabilities": explained[0][0]}
        answers |= scores.by_name([likelihoods for likelihoods, _ in explained[1:]], self._parts)
        for suffix, labels, (probabilities, heatmaps) in zip(suffixes, self._labels, explained, strict=True):
            answers[f"heatmap{suffix}"] = heatmaps
            if labels.head == "findings":
                names = tf.constant(labels.outputs)
                answers[f"finding{suffix}"] = tf.gather(names, scores.explained_output(probabilities, labels))
        return input_gate.refuse(answers, *score) if self._gate else answers


def _explaining(
    model: keras.Model, labels: Sequence[Labels]
) -> Callable[[tf.Tensor], tuple[list[tuple[tf.Tensor, tf.Tensor]], list[tf.Tensor]]]:
    """Gives probabilities and heat maps of each feature map with its logits, which `model` gives in turn, and the rest.

    A `tf.function`: run eagerly, TensorFlow's gradient of a convolution has crashed the process on maps of one cell.
    """

    @tf.function(input_signature=[tf.TensorSpec(model.input.shape, model.input.dtype)])
    def explain(images: tf.Tensor) -> tuple[list[tuple[tf.Tensor, tf.Tensor]], list[tf.Tensor]]:
        passed = []
        with tf.GradientTape(persistent=len(labels) > 1, watch_accessed_variables=False) as tape:
            tape.watch(images)
            outputs = model(images, training=False)
            pairs, rest = outputs[: 2 * len(labels)], outputs[2 * len(labels) :]
            for meaning, features, logits in zip(labels, pairs[::2], pairs[1::2], strict=True):
                probabilities = scores.probabilities(logits, meaning)
                logit = tf.gather(logits, scores.explained_output(probabilities, meaning), batch_dims=1)
                passed.append((features, logit, probabilities))
        return [
            (probabilities, _heatmaps(features, tape.gradient(logit, features)))
            for features, logit, probabilities in passed
        ], rest

    return explain


def _heatmaps(features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
    weights = tf.reduce_mean(tf.cast(gradients, tf.float32), axis=(1, 2), keepdims=True)
    heatmaps = tf.nn.relu(tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1))
    return tf.math.divide_no_nan(heatmaps, tf.reduce_max(heatmaps, axis=(1, 2), keepdims=True))
