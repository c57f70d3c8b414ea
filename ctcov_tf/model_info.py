"""What travels with a model wherever it goes: its classes, its pre-processing, and all that was fitted afterwards."""

from collections.abc import Sequence
import dataclasses
import json
from typing import Any

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf import modality as modality_lib
from ctcov_tf.config import Head, PreprocessConfig
from ctcov_tf.modality import Modality
from ctcov_tf.study import StudyRule

OOD_LIMIT = 1.0
"""Score of the input gate above which an image is refused."""

GATE_LEVEL = 0.95
"""Share of validation images that the limit of the input gate lets pass."""

FORMAT = 2
READ_FORMATS = (1, 2)  # records of format 1 hold a threshold, but no temperature and what came with it

_CLASSES = {"two_class": 2, "three_class": 3, "four_class": 4}  # heads of exclusive classes


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the outputs of a model mean.

    Attributes:
      class_names: the dataset's classes in the order of their integer labels; for the head `findings`,
        the findings.
      positive: the class, or finding, that binary metrics call positive.
      head: `binary` (one logit, of the positive class), `two_class`, `three_class` and `four_class` (one
        logit a class, which exclude each other) or `findings` (one logit a finding, each for itself).
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

    @property
    def set_classes(self) -> tuple[str, ...]:
        """Classes of which a prediction set is made: the exclusive ones, else the positive one and its negative."""
        return self.class_names if self.exclusive else (self.positive, self.negative)

    def set_probabilities(self, probabilities: Sequence[Any]) -> list[Any]:
        """Probability of each of `set_classes`.

        Args:
          probabilities: of each output: a number, or an array of one a image.
        """
        if self.exclusive:
            return list(probabilities)
        return [probabilities[self.positive_output], 1 - probabilities[self.positive_output]]


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
class OperatingPoint:
    """A threshold, and what it reached on the validation images that it was chosen on.

    Attributes:
      name: `youden`, `sensitivity_0.95`, `specificity_0.95` or `costs`.
      threshold: probability at and above which the decision is positive.
      rule: how it was chosen.
      sensitivity: `value`, `low` and `high` (95 %, over groups), each None where undefined.
      specificity: the same.
    """

    name: str
    threshold: float
    rule: str
    sensitivity: dict[str, float | None]
    specificity: dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class Conformal:
    """Quantiles that make prediction sets of a stated coverage (`calibration.conformal`).

    Attributes:
      coverage: share of the images of each class whose set is to hold it.
      quantiles: highest 1 - probability with which a class belongs to a set, by class.
      images: validation images of each class that they were fitted to.
      cross_fitted: coverage of each class by quantiles of other groups of validation images: `value`, `low`, `high`.
      set_sizes: share of these images with a set of each size.
    """

    coverage: float
    quantiles: dict[str, float]
    images: dict[str, int]
    cross_fitted: dict[str, dict[str, float | None]]
    set_sizes: dict[str, float]

    def prediction_set(self, probabilities: Sequence[float], labels: Labels) -> tuple[str, ...]:
        """Classes that an image may belong to, at the stated coverage.

        Args:
          probabilities: of each output of the model.
          labels: what the outputs mean.

        Returns:
          Names of classes: one is a decision, several are an abstention, none says that no class fits.
        """
        found = zip(labels.set_classes, labels.set_probabilities(probabilities), strict=True)
        return tuple(name for name, probability in found if 1 - probability <= self.quantiles[name])


@dataclasses.dataclass(frozen=True)
class GateInfo:
    """The gate that refuses images unlike those that the model knows (`models.input_gate`).

    Attributes:
      reason: what is said of a refused image.
      level: share of validation images that the gate lets pass.
      fitted_to: training images that it was fitted to.
      validation: validation images that its limit was chosen on.
      limit: the highest score that passes; scores are divided by the limit found, so that it is 1.
      measures: each distance in the gate, with the number of its dimensions.
      sha256: of the file of its arrays in the run directory.
    """

    reason: str
    level: float
    fitted_to: int
    validation: int
    limit: float
    measures: dict[str, int]
    sha256: str


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
      temperature: that the logits are divided by, inside the model.
      operating_points: thresholds by several rules, `threshold` among them; none in records of format 1.
      conformal: what makes prediction sets; None in records of format 1 and where no image was there to fit it.
      gate: what the gate inside the model was fitted to; None where it has none.
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
    temperature: float = 1.0
    operating_points: tuple[OperatingPoint, ...] = ()
    conformal: Conformal | None = None
    gate: GateInfo | None = None
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
            if (found := content.pop("format")) not in READ_FORMATS:
                raise ValueError(f"format {found}, this version reads up to {FORMAT}")
            content.pop("notice")
            labels = Labels.from_dict(content.pop("labels"))
            parts = tuple(map(PartInfo.from_dict, content.pop("parts", ())))
            preprocess = PreprocessConfig(**content.pop("preprocess"))
            fitted = read_fitted(content)
            content.setdefault("modality", modality_lib.of_dataset(content["trained_on"]))
            return cls(labels=labels, parts=parts, preprocess=preprocess, **content, **fitted)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.CtcovError(
                f"{place}: not a model record of this version of ctcov ({error}): export the model again"
            ) from error


def read_fitted(content: dict[str, Any]) -> dict[str, Any]:
    """Takes out of `content`, plain JSON types, what is fitted after training.

    Args:
      content: a record or `calibration.json`; the fields found are removed.

    Returns:
      The fields of `ModelInfo` of the same names; nothing for what is not there.
    """
    points = content.pop("operating_points", None) or ()
    conformal, gate = content.pop("conformal", None), content.pop("gate", None)
    return {
        "temperature": content.pop("temperature", 1.0),
        "operating_points": tuple(OperatingPoint(**point) for point in points),
        "conformal": Conformal(**conformal) if conformal else None,
        "study": StudyRule.from_dict(content.pop("study", None)),
        "gate": GateInfo(**gate) if gate else None,
    }
