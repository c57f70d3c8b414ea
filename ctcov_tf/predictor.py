"""One face over a run directory, a SavedModel, a TFLite file and a shipped model: an image file in, the answer out.

TensorFlow is imported only where a run directory or a SavedModel is opened.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
import dataclasses
from importlib import util
import pathlib
from typing import Any

import numpy as np

from ctcov_tf import errors, files
from ctcov_tf import shipped as shipped_lib
from ctcov_tf.edge import runner
from ctcov_tf.images import decode, dicom_files
from ctcov_tf.images.window import LUNG, Window
from ctcov_tf.modality import Modality
from ctcov_tf.model_info import Labels, ModelInfo


@dataclasses.dataclass(frozen=True)
class InputImage:
    """An image to answer.

    Attributes:
      name: what to call it in the answer and in errors.
      data: the image file's bytes.
      rgb: the same, decoded: uint8 (h, w, 3), red first.
    """

    name: str
    data: bytes
    rgb: np.ndarray


DICOM = "pydicom", "DICOM files need it: install it with pip install 'ctcov[dicom]'"
"""What is needed for DICOM files, and how to get it."""


def read(
    data: bytes,
    name: str,
    known: Modality | None = None,
    *,
    max_pixels: int = decode.MAX_PIXELS,
    max_bytes: int = files.MAX_BYTES,
    window: Window = LUNG,
) -> InputImage:
    """Makes an image of a file's bytes: the one place where that is done, for every kind of model.

    Args:
      data: an image file's bytes: PNG, JPEG and what else `images.decode` reads; or a DICOM file of one frame.
      name: what to call it in the answer and in errors.
      known: the modality that the model knows, which a DICOM file is held to; None where it does not say.
      max_pixels: images of more are refused, before they are decoded.
      max_bytes: DICOM files that inflate to more are refused.
      window: of CT in DICOM files, in Hounsfield units.

    Raises:
      CtcovError: the bytes are no readable image, or are a DICOM file that is not for the model.
    """
    if dicom_files.is_dicom(data):
        errors.need(*DICOM)
        from ctcov_tf.images import single_frame

        data = single_frame.png(data, name, known, max_pixels=max_pixels, max_bytes=max_bytes, window=window)
    return InputImage(name, data, decode.decode_rgb(data, name, max_pixels))


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer to one image.

    Attributes:
      name: the image.
      probability: of the positive class, in [0, 1]; None where the image is refused.
      label: the decision: the positive class at and above the threshold, else its negative; the reason where the
        image is refused.
      threshold: chosen on validation images.
      probabilities: probability by output of the model; None each where the image is refused.
      likelihoods: what the frozen parts of Deep-CXR-Net say, by name; empty for other models, None each where the
        image is refused.
      model: name of the model.
      reason: why the image is refused; None where it is answered.
      in_distribution: whether the input gate lets the image pass; None where the model has no gate.
      ood_score: how unlike the training images it is; above 1 it is refused. None where the model has no gate.
      operating_points: the decision at each operating point, by its name; empty where the model has none, and where
        the image is refused.
      prediction_set: classes that the image may belong to at `coverage`: one is a decision, several are an
        abstention, none says that no class fits. None where the model has no sets, and where the image is refused.
      coverage: share of images of each class whose set is to hold it; None where the model has no sets.
    """

    name: str
    probability: float | None
    label: str
    threshold: float
    probabilities: dict[str, float | None]
    likelihoods: dict[str, float | None]
    model: str
    reason: str | None = None
    in_distribution: bool | None = None
    ood_score: float | None = None
    operating_points: dict[str, str] = dataclasses.field(default_factory=dict)
    prediction_set: tuple[str, ...] | None = None
    coverage: float | None = None


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The answer to one image, and where its evidence lies.

    Attributes:
      prediction: the answer.
      image: the decoded image, uint8 (h, w, 3), RGB.
      heatmaps: (h', w') float32 in [0, 1], by the name of the output that each explains: the model's own
        first, then those of its frozen parts (`part1_edema`). Of findings the likeliest is explained. None where
        the image is refused.
    """

    prediction: Prediction
    image: np.ndarray
    heatmaps: dict[str, np.ndarray]


Answer = Callable[[bytes, str, str], tuple[Prediction, dict[str, Any]]]
"""From an image file's bytes, its name and a stem for files to the answer, and what else is said of it."""


class Predictor(abc.ABC):
    """A model that answers image files.

    Attributes:
      path: what was opened: a TFLite file, a SavedModel's version folder or a run directory.
      info: the model's record.
      takes_batches: whether it runs once for several images; else once for each.
      explains: whether it holds heat maps.
      card: the model card, in Markdown; None where it came without one.
      shipped: the shipped model that it is; None of any other.
    """

    path: pathlib.Path
    info: ModelInfo
    takes_batches = False
    explains = True
    card: str | None = None
    shipped: shipped_lib.Shipped | None = None

    @abc.abstractmethod
    def outputs(self, data: bytes, image: np.ndarray, *, heatmaps: bool = False) -> Mapping[str, np.ndarray]:
        """Runs the model on one image.

        Args:
          data: the image file's bytes.
          image: the same, decoded: uint8 (h, w, 3), RGB.
          heatmaps: whether to explain the answer too.

        Returns:
          Arrays for a batch of one image: `probabilities` float32 (1, outputs), each likelihood float32 (1,) by its
          name and, if asked for, `heatmap` and `heatmap_<part>` float32 (1, h', w') in [0, 1]; of a model with a
          gate `in_distribution` bool (1,) and `ood_score` float32 (1,).

        Raises:
          CtcovError: the model holds no heat map.
        """

    def batch_outputs(
        self, images: Sequence[InputImage], *, heatmaps: bool = False
    ) -> Sequence[Mapping[str, np.ndarray]]:
        """Runs the model on several images; in one run where it takes batches.

        Args:
          images: the images, of any sizes.
          heatmaps: whether to explain the answers too.

        Returns:
          What `outputs` returns, for each image.

        Raises:
          CtcovError: the model holds no heat map.
        """
        return [self.outputs(image.data, image.rgb, heatmaps=heatmaps) for image in images]

    def predict(self, data: bytes, name: str) -> Prediction:
        """Answers one image.

        Args:
          data: an image file's bytes, as `read` takes them.
          name: what to call it in the answer and in errors.

        Raises:
          CtcovError: the bytes are no readable image, or are not for the model.
        """
        return self.predict_batch([read(data, name, self.info.modality)])[0]

    def explain(self, data: bytes, name: str) -> Explanation:
        """Answers one image and explains the answer, in one run of the model.

        Args:
          data: an image file's bytes.
          name: what to call it in the answer and in errors.

        Raises:
          CtcovError: the bytes are no readable image, or the model holds no heat map.
        """
        return self.explain_batch([read(data, name, self.info.modality)])[0]

    def predict_batch(self, images: Sequence[InputImage]) -> list[Prediction]:
        """Answers several images.

        Args:
          images: what `read` returned.
        """
        found = self.batch_outputs(images)
        return [self._prediction(image.name, outputs) for image, outputs in zip(images, found, strict=True)]

    def explain_batch(self, images: Sequence[InputImage]) -> list[Explanation]:
        """Answers several images and explains the answers.

        Args:
          images: what `read` returned.

        Raises:
          CtcovError: the model holds no heat map.
        """
        found = self.batch_outputs(images, heatmaps=True)
        return [self._explanation(image, outputs) for image, outputs in zip(images, found, strict=True)]

    def _explanation(self, image: InputImage, outputs: Mapping[str, np.ndarray]) -> Explanation:
        answer = self._prediction(image.name, outputs)
        if answer.reason:
            return Explanation(answer, image.rgb, {})
        heatmaps = {_explained(self.info.labels, outputs["probabilities"][0]): outputs["heatmap"][0]}
        for part in self.info.parts:
            finding = _explained(part.labels, [outputs[likelihood][0] for likelihood in part.likelihoods])
            heatmaps[f"{part.name}_{finding}"] = outputs[f"heatmap_{part.name}"][0]
        return Explanation(answer, image.rgb, heatmaps)

    def _prediction(self, name: str, outputs: Mapping[str, np.ndarray]) -> Prediction:
        info, labels = self.info, self.info.labels
        likelihoods = [name for part in info.parts for name in part.likelihoods]
        score = float(outputs["ood_score"][0]) if "ood_score" in outputs else None
        common: dict[str, Any] = {
            "name": name,
            "threshold": info.threshold,
            "model": info.name,
            "ood_score": score if score is None or np.isfinite(score) else None,
            "coverage": info.conformal.coverage if info.conformal else None,
        }
        if info.gate and not outputs["in_distribution"][0]:
            return Prediction(
                probability=None,
                label=info.gate.reason,
                probabilities=dict.fromkeys(labels.outputs),
                likelihoods=dict.fromkeys(likelihoods),
                reason=info.gate.reason,
                in_distribution=False,
                **common,
            )
        probabilities = outputs["probabilities"][0]
        probability = probabilities[labels.positive_output]

        def decision(threshold: float) -> str:
            return labels.positive if probability >= np.float32(threshold) else labels.negative

        by_output = list(map(float, probabilities))
        return Prediction(
            probability=float(probability),
            label=decision(info.threshold),
            probabilities=dict(zip(labels.outputs, by_output, strict=True)),
            likelihoods={name: float(outputs[name][0]) for name in likelihoods},
            in_distribution=True if info.gate else None,
            operating_points={point.name: decision(point.threshold) for point in info.operating_points},
            prediction_set=info.conformal.prediction_set(by_output, labels) if info.conformal else None,
            **common,
        )


def _explained(labels: Labels, probabilities: Sequence[float]) -> str:
    """Name of the output that a heat map is about; `scores.explained_output` as it is known here."""
    return labels.outputs[int(np.argmax(probabilities))] if labels.head == "findings" else labels.positive


class EdgePredictor(Predictor):
    """A TFLite file."""

    def __init__(self, path: pathlib.Path, threads: int | None = None) -> None:
        self.path = path
        self._model = runner.EdgeModel(path, threads)
        self.info = self._model.info
        self.explains = "heatmap" in self._model.outputs
        self.card = self._model.card

    def outputs(self, data: bytes, image: np.ndarray, *, heatmaps: bool = False) -> Mapping[str, np.ndarray]:  # noqa: D102
        if heatmaps and not self.explains:
            raise errors.CtcovError(
                f"{self.path}: holds no heat map: ask a float32 file, the SavedModel or the run directory it came from"
            )
        return self._model(image)


class ShippedPredictor(EdgePredictor):
    """A shipped model: its TFLite file answers, and explains; where that holds no heat map, its Keras file does."""

    def __init__(self, model: shipped_lib.Shipped, threads: int | None = None) -> None:
        super().__init__(model.answering_file, threads)
        self.path, self.shipped = model.path, model
        self._explainer: RunPredictor | None = None
        self._holds_heatmap = self.explains
        self.explains = self.explains or (model.has("model.keras") and util.find_spec("tensorflow") is not None)

    def outputs(self, data: bytes, image: np.ndarray, *, heatmaps: bool = False) -> Mapping[str, np.ndarray]:  # noqa: D102
        if not heatmaps or self._holds_heatmap or not self.explains:
            return super().outputs(data, image, heatmaps=heatmaps)
        self._explainer = self._explainer or RunPredictor(self.path)
        return self._explainer.outputs(data, image, heatmaps=True)


class SavedModelPredictor(Predictor):
    """The version folder of a SavedModel.

    Attributes:
      model: the loaded SavedModel with its `signatures`.
    """

    takes_batches = True

    def __init__(self, path: pathlib.Path) -> None:
        import tensorflow as tf

        self.path = path
        record = path / "assets.extra" / runner.RECORD
        if not record.is_file():
            raise errors.CtcovError(f"{record}: missing: name a SavedModel that export.py wrote")
        self.info = ModelInfo.from_json(record.read_text(encoding="utf-8"), str(record))
        try:
            self.model = tf.saved_model.load(path)
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise errors.CtcovError(f"{path}: damaged SavedModel ({reason}): export it again") from error
        self.explains = "explain" in self.model.signatures
        card = path / "assets.extra" / runner.CARD
        self.card = card.read_text(encoding="utf-8") if card.is_file() else None

    def outputs(self, data: bytes, image: np.ndarray, *, heatmaps: bool = False) -> Mapping[str, np.ndarray]:  # noqa: D102
        return self._run(["image"], [data], heatmaps)

    def batch_outputs(  # noqa: D102
        self, images: Sequence[InputImage], *, heatmaps: bool = False
    ) -> Sequence[Mapping[str, np.ndarray]]:
        found = self._run([image.name for image in images], [image.data for image in images], heatmaps)
        return [{name: output[n : n + 1] for name, output in found.items()} for n in range(len(images))]

    def _run(self, names: Sequence[str], files: Sequence[bytes], heatmaps: bool) -> Mapping[str, np.ndarray]:
        import tensorflow as tf

        signature = self.model.signatures["explain" if heatmaps else "serving_default"]
        try:
            outputs = signature(image_bytes=tf.constant(files))
        except tf.errors.InvalidArgumentError as error:
            raise errors.CtcovError(f"{', '.join(names)}: TensorFlow cannot decode it: convert it to PNG") from error
        return {name: output.numpy() for name, output in outputs.items()}


class RunPredictor(Predictor):
    """A run directory's Keras model."""

    def __init__(self, path: pathlib.Path) -> None:
        import tensorflow as tf

        from ctcov_tf import run_directory
        from ctcov_tf.explain import ExplainedAnswers
        from ctcov_tf.models import input_gate
        from ctcov_tf.models.scores import Answers
        from ctcov_tf.preprocessing.preprocess import Preprocess

        run = run_directory.load(path)
        self.path = path
        self.info = run.model_info()
        self.card = run.read_model_card()
        model, arrays = run.load_calibrated_model(), run.load_gate()
        gate = input_gate.on(model, arrays)
        network = model, self.info.labels, self.info.parts, gate
        preprocess = Preprocess.from_preprocess_config(self.info.preprocess)
        answers, explained_answers = Answers(*network), ExplainedAnswers(*network)
        signature = [tf.TensorSpec((1, None, None, 3), tf.uint8)]
        self._answer = tf.function(lambda image: answers(preprocess(image)), input_signature=signature)
        self._explain = tf.function(lambda image: explained_answers(preprocess(image)), input_signature=signature)

    def outputs(self, data: bytes, image: np.ndarray, *, heatmaps: bool = False) -> Mapping[str, np.ndarray]:  # noqa: D102
        answer = self._explain if heatmaps else self._answer
        return {name: output.numpy() for name, output in answer(image[np.newaxis]).items()}


def load(path: str | pathlib.Path, threads: int | None = None) -> Predictor:
    """Opens a model of any kind.

    Args:
      path: a run directory, a SavedModel's version folder or the folder above it (the highest version is
        taken), a `.tflite` file, or the folder of a shipped model.
      threads: threads of a TFLite file; by default one for each processor.

    Returns:
      The model, ready to answer.

    Raises:
      CtcovError: nothing stands at `path`, or it is none of these, or it is damaged.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return EdgePredictor(path, threads)
    if shipped_lib.is_shipped(path):
        return ShippedPredictor(shipped_lib.read(path), threads)
    if (path / "config.json").is_file():
        return RunPredictor(path)
    if (path / "saved_model.pb").is_file():
        return SavedModelPredictor(path)
    versions = [int(folder.name) for folder in path.glob("*/") if folder.name.isdecimal()]
    if versions and (path / str(max(versions)) / "saved_model.pb").is_file():
        return SavedModelPredictor(path / str(max(versions)))
    raise errors.CtcovError(
        f"{path}: {'not a model' if path.exists() else 'no such model'}: "
        "name a run directory, a SavedModel folder or a .tflite file"
    )


def needs_tensorflow(path: str | pathlib.Path) -> bool:
    """Whether TensorFlow is imported to open a model: not for a TFLite file, nor to answer with a shipped model.

    Args:
      path: what `load` opens.
    """
    return pathlib.Path(path).is_dir() and not shipped_lib.is_shipped(path)
