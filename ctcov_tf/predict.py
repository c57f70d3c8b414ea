"""One face over a run directory, a SavedModel and a TFLite file: an image file in, the answer out.

TensorFlow is imported only where a run directory or a SavedModel is opened.
"""

import abc
from collections.abc import Iterable
import dataclasses
import json
import pathlib
import sys

import numpy as np

from ctcov_tf import RESEARCH_USE, errors, files
from ctcov_tf.edge import runner
from ctcov_tf.images import decode
from ctcov_tf.model_info import ModelInfo


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer to one image.

    Attributes:
      name: the image.
      probability: of the positive class, in [0, 1].
      label: the decision: the positive class at and above the threshold, else its negative.
      threshold: chosen on validation images.
      probabilities: probability by output of the model.
      model: name of the model.
    """

    name: str
    probability: float
    label: str
    threshold: float
    probabilities: dict[str, float]
    model: str


class Predictor(abc.ABC):
    """A model that answers image files.

    Attributes:
      info: the model's record.
    """

    info: ModelInfo

    @abc.abstractmethod
    def probabilities(self, data: bytes, name: str) -> np.ndarray:
        """Probability of each output, (outputs,), float32 in [0, 1], for the image file `data`."""

    @abc.abstractmethod
    def heatmap(self, data: bytes, name: str) -> np.ndarray:
        """Where the evidence for the positive class stands: (h', w'), float32 in [0, 1].

        Args:
          data: an image file's bytes.
          name: what to call it in errors.

        Raises:
          CtcovError: the bytes are no readable image, or the model holds no heat map.
        """

    def predict(self, data: bytes, name: str) -> Prediction:
        """Answers one image.

        Args:
          data: an image file's bytes: PNG, JPEG and what else `images.decode` reads.
          name: what to call it in the answer and in errors.

        Raises:
          CtcovError: the bytes are no readable image.
        """
        labels = self.info.labels
        probabilities = self.probabilities(data, name)
        probability = probabilities[labels.positive_output]
        return Prediction(
            name=name,
            probability=float(probability),
            label=labels.positive if probability >= np.float32(self.info.threshold) else labels.negative,
            threshold=self.info.threshold,
            probabilities=dict(zip(labels.outputs, map(float, probabilities), strict=True)),
            model=self.info.name,
        )


class EdgePredictor(Predictor):
    """A TFLite file."""

    def __init__(self, path: pathlib.Path, threads: int | None = None) -> None:
        self._model = runner.EdgeModel(path, threads)
        self.info = self._model.info

    def probabilities(self, data: bytes, name: str) -> np.ndarray:  # noqa: D102
        return self._model(decode.decode_rgb(data, name))["probabilities"][0]

    def heatmap(self, data: bytes, name: str) -> np.ndarray:  # noqa: D102
        if "heatmap" not in self._model.outputs:
            raise errors.CtcovError(
                f"{self._model.path}: holds no heat map: ask the SavedModel or the run directory that it came from"
            )
        return self._model(decode.decode_rgb(data, name))["heatmap"][0]


class SavedModelPredictor(Predictor):
    """The version folder of a SavedModel.

    Attributes:
      model: the loaded SavedModel with its `signatures`.
    """

    def __init__(self, path: pathlib.Path) -> None:
        import tensorflow as tf

        record = path / "assets.extra" / runner.RECORD
        if not record.is_file():
            raise errors.CtcovError(f"{record}: missing: name a SavedModel that export.py wrote")
        self.info = ModelInfo.from_json(record.read_text(encoding="utf-8"), str(record))
        try:
            self.model = tf.saved_model.load(path)
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise errors.CtcovError(f"{path}: damaged SavedModel ({reason}): export it again") from error

    def probabilities(self, data: bytes, name: str) -> np.ndarray:  # noqa: D102
        return self._call("serving_default", data, name)["probabilities"][0].numpy()

    def heatmap(self, data: bytes, name: str) -> np.ndarray:  # noqa: D102
        return self._call("explain", data, name)["heatmap"][0].numpy()

    def _call(self, signature: str, data: bytes, name: str):
        import tensorflow as tf

        decode.decode_rgb(data, name)  # for its errors, which name the file
        return self.model.signatures[signature](image_bytes=tf.constant([data]))


class RunPredictor(Predictor):
    """A run directory's Keras model."""

    def __init__(self, path: pathlib.Path) -> None:
        import tensorflow as tf

        from ctcov_tf import explain, run_directory
        from ctcov_tf.models import scores
        from ctcov_tf.preprocessing.preprocess import Preprocess

        run = run_directory.load(path)
        self.info = run.model_info()
        model = run.load_model()
        preprocess = Preprocess.from_preprocess_config(self.info.preprocess)
        cam = explain.GradCam(model, self.info.labels)
        signature = [tf.TensorSpec((1, None, None, 3), tf.uint8)]

        @tf.function(input_signature=signature)
        def answer(image):
            return scores.probabilities(model(preprocess(image), training=False), self.info.labels)

        @tf.function(input_signature=signature)
        def heatmap(image):
            return cam(preprocess(image))[1]

        self._answer, self._heatmap = answer, heatmap

    def probabilities(self, data: bytes, name: str) -> np.ndarray:  # noqa: D102
        return self._answer(decode.decode_rgb(data, name)[np.newaxis])[0].numpy()

    def heatmap(self, data: bytes, name: str) -> np.ndarray:  # noqa: D102
        return self._heatmap(decode.decode_rgb(data, name)[np.newaxis])[0].numpy()


def load(path: str | pathlib.Path, threads: int | None = None) -> Predictor:
    """Opens a model of any of the three kinds.

    Args:
      path: a run directory, a SavedModel's version folder or the folder above it (the highest version is
        taken), or a `.tflite` file.
      threads: threads of a TFLite file; by default one for each processor.

    Returns:
      The model, ready to answer.

    Raises:
      CtcovError: nothing stands at `path`, or it is none of the three, or it is damaged.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return EdgePredictor(path, threads)
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


def predict_command(
    model: str | pathlib.Path,
    images: Iterable[str | pathlib.Path],
    *,
    as_json: bool = False,
    heatmap: str | pathlib.Path | None = None,
    threads: int | None = None,
) -> int:
    """Answers image files: a table on stdout, or a JSON object a line.

    An image that cannot be read gets one line on stderr; the others are answered all the same.

    Args:
      model: what `load` opens.
      images: the image files.
      as_json: JSON lines instead of the table.
      heatmap: folder to write a PNG to for every image, with its heat map laid over it.
      threads: threads of a TFLite file.

    Returns:
      Exit code: 0, or 2 where an image could not be answered.

    Raises:
      CtcovError: the model cannot be opened.
    """
    predictor = load(model, threads)
    paths = [pathlib.Path(image) for image in images]
    width = max([len(str(path)) for path in paths] + [len("image")])
    if not as_json:
        print(f"{'image':{width}}  probability  threshold  decision")
    code = 0
    taken: set[str] = set()
    for path in paths:
        try:
            data = decode.read_bytes(path)
            answer = predictor.predict(data, str(path))
            drawn = _draw(predictor, data, path, pathlib.Path(heatmap), taken) if heatmap else None
        except errors.CtcovError as error:
            print(f"error: {error}", file=sys.stderr)
            code = errors.EXIT_USER_ERROR
            continue
        if as_json:
            content = {"image": answer.name, **dataclasses.asdict(answer), "notice": RESEARCH_USE}
            del content["name"]
            print(json.dumps(content | ({"heatmap": str(drawn)} if drawn else {})), flush=True)
        else:
            print(f"{path!s:{width}}  {answer.probability:11.4f}  {answer.threshold:9.4f}  {answer.label}", flush=True)
    if not as_json:
        print(f"{predictor.info.name}, probability of {predictor.info.labels.positive}. {RESEARCH_USE}")
    return code


def _draw(predictor: Predictor, data: bytes, path: pathlib.Path, folder: pathlib.Path, taken: set[str]) -> pathlib.Path:
    """Writes the image with its heat map; images of one name from several folders get a number."""
    import cv2

    from ctcov_tf.images import overlay

    picture = overlay.overlay(decode.decode_rgb(data, str(path)), predictor.heatmap(data, str(path)))
    drawn = folder / f"{files.unused_name(path.stem, taken)}.png"
    with files.atomic_path(drawn) as beside:
        beside.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    return drawn
