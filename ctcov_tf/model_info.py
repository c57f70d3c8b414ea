"""What travels with a model wherever it goes: its classes, its threshold and its pre-processing."""

import dataclasses
import json
from typing import Any

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf import modality as modality_lib
from ctcov_tf.config import Head, PreprocessConfig
from ctcov_tf.modality import Modality
from ctcov_tf.study import StudyRule

FORMAT = 1

_CLASSES = {"two_class": 2, "three_class": 3}  # heads of exclusive classes


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the outputs of a model mean.

    Attributes:
      class_names: the dataset's classes in the order of their integer labels; for the head `findings`,
        the findings.
      positive: the class, or finding, that binary metrics call positive.
      head: `binary` (one logit, of the positive class), `two_class` and `three_class` (one logit a class,
        which exclude each other) or `findings` (one logit a finding, each for itself).
    """

    class_names: tuple[str, ...]
    positive: str
    head: Head

    def __post_init__(self) -> None:
        if self.positive not in self.class_names:
            raise errors.CtcovError(
                f"class {self.positive!r} is not in the dataset: choose --positive from {', '.join(self.class_names)}"
            )
        classes = _CLASSES.get(self.head)
        if classes and len(self.class_names) != classes:
            raise errors.CtcovError(
                f"head {self.head} needs {classes} classes, the dataset has {', '.join(self.class_names)}: "
                "choose another --head"
            )

    @property
    def positive_index(self) -> int:
        """Integer label of the positive class."""
        return self.class_names.index(self.positive)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name of each logit."""
        return (self.positive,) if self.head == "binary" else self.class_names

    @property
    def exclusive(self) -> bool:
        """Whether an image belongs to one class only, so that the outputs' probabilities sum to 1."""
        return self.head in _CLASSES

    @property
    def positive_output(self) -> int:
        """Index of the positive class's logit."""
        return self.outputs.index(self.positive)

    @property
    def negative(self) -> str:
        """Name of a negative decision: the other class if there is one only, else `not <positive>`."""
        others = [name for name in self.class_names if name != self.positive]
        return others[0] if len(others) == 1 and self.head != "findings" else f"not {self.positive}"

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Labels":
        """Reads what `dataclasses.asdict` made of it."""
        return cls(**{**content, "class_names": tuple(content["class_names"])})


@dataclasses.dataclass(frozen=True)
class PartInfo:
    """A frozen part of Deep-CXR-Net (section 2.3).

    Attributes:
      name: `part1` or `part2`: prefix of its layers, and name of the layer that gives its likelihoods.
      preset: that it was trained by.
      labels: what its likelihoods mean.
      trained_on: the TFDS dataset with its version.
      sha256: of its run's `model.keras`.
    """

    name: str
    preset: str
    labels: Labels
    trained_on: str
    sha256: str

    @property
    def likelihoods(self) -> tuple[str, ...]:
        """Name of each likelihood: `part1_atelectasis`, ..., `part2_normal`."""
        return tuple(f"{self.name}_{output}" for output in self.labels.outputs)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "PartInfo":
        """Reads what `dataclasses.asdict` made of it."""
        return cls(**{**content, "labels": Labels.from_dict(content["labels"])})


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """The record inside every export and run directory.

    Attributes:
      name: the preset.
      labels: what the outputs mean.
      threshold: probability at and above which the decision is positive; chosen on validation images.
      threshold_rule: how it was chosen.
      preprocess: the steps inside the model.
      trained_on: the TFDS dataset with its version.
      parts: frozen parts inside the model, in the order of their likelihoods; none but in Deep-CXR-Net.
      modality: what kind of image it knows; None where that is not known.
      study: how a study is decided; None where the run has no rule for that.
    """

    name: str
    labels: Labels
    threshold: float
    threshold_rule: str
    preprocess: PreprocessConfig
    trained_on: str
    parts: tuple[PartInfo, ...] = ()
    modality: Modality | None = None
    study: StudyRule | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the format's version and the notice."""
        return {"format": FORMAT, **dataclasses.asdict(self), "notice": RESEARCH_USE}

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, place: str) -> "ModelInfo":
        """Reads what `to_json` wrote.

        Args:
          text: the JSON.
          place: file that it stood in, for the error.

        Returns:
          The record.

        Raises:
          CtcovError: the text is no such record, or of another version.
        """
        try:
            content = json.loads(text)
            if content.pop("format") != FORMAT:
                raise ValueError(f"format is not {FORMAT}")
            content.pop("notice")
            labels = Labels.from_dict(content.pop("labels"))
            parts = tuple(map(PartInfo.from_dict, content.pop("parts", ())))
            preprocess = PreprocessConfig(**content.pop("preprocess"))
            content["study"] = StudyRule.from_dict(content.get("study"))
            content.setdefault("modality", modality_lib.of_dataset(content["trained_on"]))
            return cls(labels=labels, parts=parts, preprocess=preprocess, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.CtcovError(
                f"{place}: not a model record of this version of ctcov ({error}): export the model again"
            ) from error
