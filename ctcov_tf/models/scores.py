"""From logits to probabilities, and to every answer by its name."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import input_gate
from ctcov_tf.models.feature_maps import PARTS
from ctcov_tf.models.input_gate import InputGate

TEMPERATURE = "temperature"
"""Layer that divides the logits of a calibrated network."""

LIKELIHOODS_SCOPE = "likelihoods"
"""Name scope of the operators behind the frozen parts."""


def probabilities(logits: tf.Tensor, labels: Labels) -> tf.Tensor:
    """Softmax where the classes exclude each other, else a sigmoid for each output.

    Args:
      logits: (batch, outputs) float.
      labels: what the outputs mean.

    Returns:
      (batch, outputs) float in [0, 1].
    """
    return tf.nn.softmax(logits) if labels.exclusive else tf.sigmoid(logits)


def calibrated(model: keras.Model, temperature: float) -> keras.Model:
    """The network with its logits divided by a temperature.

    Args:
      model: functional model of one flat graph, from images to logits.
      temperature: above 0.

    Returns:
      A network over the same layers, one more behind them; `model` itself where the temperature is 1.
    """
    if temperature == 1:
        return model
    divide = keras.layers.Rescaling(1 / temperature, dtype="float32", name=TEMPERATURE)
    return keras.Model(model.input, divide(model.output), name=model.name)


def positive_probability(probabilities: tf.Tensor, labels: Labels) -> tf.Tensor:
    """Probability of the positive class.

    Args:
      probabilities: (batch, outputs) tensor or array, as `probabilities` returns them.
      labels: what the outputs mean.

    Returns:
      (batch,) float in [0, 1].
    """
    return probabilities[:, labels.positive_output]


def explained_output(probabilities: tf.Tensor, labels: Labels) -> tf.Tensor:
    """Which output a heat map is about: of findings each image's likeliest, else the positive class.

    Args:
      probabilities: (batch, outputs) float.
      labels: what the outputs mean.

    Returns:
      (batch,) int32, index of an output; the first where several are equal.
    """
    if labels.head == "findings":
        return tf.argmax(probabilities, axis=-1, output_type=tf.int32)
    return tf.fill(tf.shape(probabilities)[:1], labels.positive_output)


class Answers:
    """A network's probabilities, and those of the frozen parts inside it, by name."""

    def __init__(
        self, model: keras.Model, labels: Labels, parts: Sequence[PartInfo] = (), gate: InputGate | None = None
    ):
        """Finds the parts.

        Args:
          model: functional model of one flat graph, from pre-processed images to logits.
          labels: what the logits mean.
          parts: the frozen parts, as `check_parts` has found them.
          gate: on this model; None answers every image.
        """
        of_parts = [model.get_layer(f"{part.name}_logits").output for part in parts]
        of_gate = [gate.output] if gate else []
        self._model = keras.Model(model.input, [model.output, *of_parts, *of_gate])
        self._labels, self._parts, self._gate = labels, parts, gate

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers a batch.

        Args:
          images: (batch, size, size, 3) float32, pre-processed.

        Returns:
          `probabilities` (batch, outputs), and each likelihood (batch,) by its name, float32 in [0, 1]; with a gate
          as `input_gate.refuse` gives them.
        """
        answers = self.raw(images)
        answers["probabilities"] = probabilities(answers.pop("logits"), self._labels)
        return input_gate.refuse(answers, answers.pop("ood_score")) if self._gate else answers

    def raw(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """What stands behind the answers of a batch; of every image, gate or not.

        Args:
          images: (batch, size, size, 3) float32, pre-processed.

        Returns:
          `logits` (batch, outputs), each likelihood (batch,) by its name, and with a gate `ood_score` (batch,).
        """
        logits, *others = tf.nest.flatten(self._model(images, training=False))  # Keras unpacks a list of one
        of_parts, of_gate = others[: len(self._parts)], others[len(self._parts) :]
        with tf.name_scope(LIKELIHOODS_SCOPE):
            # Of another rank than what is fused: TFLite would make one tensor of both, on the fusion's 8-bit grid.
            likelihoods = [
                probabilities(one[:, tf.newaxis], part.labels)[:, 0]
                for part, one in zip(self._parts, of_parts, strict=True)
            ]
        score = {"ood_score": of_gate[0]} if of_gate else {}
        return {"logits": logits, **by_name(likelihoods, self._parts), **score}


def by_name(likelihoods: Sequence[tf.Tensor], parts: Sequence[PartInfo]) -> dict[str, tf.Tensor]:
    """Each likelihood (batch,) by its name, from those of each part (batch, outputs)."""
    return {
        name: values[:, index]
        for part, values in zip(parts, likelihoods, strict=True)
        for index, name in enumerate(part.likelihoods)
    }


def check_parts(model: keras.Model, parts: Sequence[PartInfo], place: str) -> None:
    """Holds a network to its record.

    Args:
      model: functional model of one flat graph.
      parts: the frozen parts that it is said to hold.
      place: where it was read, for the error.

    Raises:
      CtcovError: it holds others, or they give other likelihoods.
    """
    held = {
        layer.name: (layer.output.shape[-1], layer.activation.__name__) for layer in model.layers if _is_part(layer)
    }
    recorded = {
        part.name: (len(part.labels.outputs), "softmax" if part.labels.exclusive else "sigmoid") for part in parts
    }
    if held != recorded:
        raise errors.CtcovError(
            f"{place}: holds {_listed(held)}, its record names {_listed(recorded)}: "
            "put back the config.json that it was trained with, or train again"
        )


def _is_part(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Activation) and layer.name in PARTS


def _listed(parts: Mapping[str, tuple[int, str]]) -> str:
    return " and ".join(f"{name} ({n} likelihoods, {kind})" for name, (n, kind) in sorted(parts.items())) or "no parts"
