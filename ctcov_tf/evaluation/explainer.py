"""One image explained: what the network and the frozen parts inside it say of it, and where they see that."""

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ctcov_tf.evaluation import panels
from ctcov_tf.evaluation.remarks import part_title
from ctcov_tf.explain import ExplainedAnswers
from ctcov_tf.images import decode
from ctcov_tf.model_info import Labels
from ctcov_tf.models import input_gate, scores
from ctcov_tf.models.input_gate import Gate
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.run_directory import RunDirectory

STRONGEST = 3  # probabilities that are put in words


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a network, or a frozen part inside it, says of an image, and where it sees that.

    Attributes:
      probabilities: by output, in [0, 1].
      explained: the output whose evidence the heat map shows.
      heatmap: (h', w') float32 in [0, 1].
    """

    probabilities: dict[str, float]
    explained: str
    heatmap: npt.NDArray

    def in_words(self) -> str:
        """The highest probabilities."""
        ranked = sorted(self.probabilities.items(), key=lambda item: -item[1])[:STRONGEST]
        return ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in ranked)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One image, explained.

    Attributes:
      probability: of the positive class, in [0, 1]; not a number where the image is refused.
      grey: (h, w) uint8, the image at its native size.
      seen: (size, size) uint8, the pre-processed image stretched to grey levels.
      whole: what the network says.
      parts: what each frozen part inside it says, by the part's name.
      refused: whether the input gate refuses the image; nothing above says anything then.
    """

    probability: float
    grey: npt.NDArray
    seen: npt.NDArray
    whole: Evidence
    parts: dict[str, Evidence]
    refused: bool = False

    def parts_in_words(self) -> list[str]:
        """The highest likelihoods of each frozen part."""
        return [f"{part_title(name)}: {evidence.in_words()}" for name, evidence in self.parts.items()]


class Explainer:
    """Explains images of any size, one at a time.

    Args:
      run: the run: its pre-processing, labels, parts and temperature.
      model: its network.
      gate: the run's; None explains every image.
    """

    def __init__(self, run: RunDirectory, model: keras.Model, gate: Gate | None = None):
        preprocess = Preprocess.from_preprocess_config(run.config.preprocess)
        calibrated = scores.calibrated(model, run.temperature)
        answers = ExplainedAnswers(calibrated, run.labels, run.parts, input_gate.on(calibrated, gate))

        @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.uint8)])
        def explain(image: tf.Tensor) -> dict[str, tf.Tensor]:
            seen = preprocess(image)
            return {name: batch[0] for name, batch in answers(seen).items()} | {"seen": seen[0]}

        self._explain = explain
        self._run = run

    def __call__(self, rgb: npt.NDArray) -> Explanation:
        """Explains one decoded image, (h, w, 3) uint8."""
        found = {name: value.numpy() for name, value in self._explain(rgb[np.newaxis]).items()}
        labels = self._run.labels
        whole = _evidence(found, labels, dict(zip(labels.outputs, map(float, found["probabilities"]), strict=True)))
        parts = {
            part.name: _evidence(
                found,
                part.labels,
                {output: float(found[f"{part.name}_{output}"]) for output in part.labels.outputs},
                f"_{part.name}",
            )
            for part in self._run.parts
        }
        probability = whole.probabilities[labels.positive]
        refused = not found.get("in_distribution", True)
        return Explanation(probability, decode.to_grey(rgb), panels.to_uint8(found["seen"]), whole, parts, refused)


def _evidence(found: dict[str, Any], labels: Labels, probabilities: dict[str, float], suffix: str = "") -> Evidence:
    finding = found.get(f"finding{suffix}")
    explained = labels.positive if finding is None else finding.decode()
    return Evidence(probabilities, explained, found[f"heatmap{suffix}"])
