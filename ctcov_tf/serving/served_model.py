"""One version of a model, opened and ready: what it says of itself and of images."""

import asyncio
from collections.abc import Callable, Mapping
import dataclasses
import io
import os
import pathlib
import threading
from typing import TYPE_CHECKING, Any

from PIL import Image

from ctcov_tf import errors, predictor, tensorflow_log
from ctcov_tf.predictor import Explanation, Prediction
from ctcov_tf.serving import rest
from ctcov_tf.serving.batching import Batcher
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.settings import Settings

if TYPE_CHECKING:  # need pydicom, which a server of other images does without
    from ctcov_tf import studies
    from ctcov_tf.serving import served_study


class ServedModel:
    """One version of a model, with the queue before it.

    Attributes:
      info: the model's record.
      card: the model card, in Markdown; None where it came without one.
      explains: whether it holds heat maps.
      version: its number.
      signatures: names of those that it answers.
    """

    def __init__(
        self,
        models: list[predictor.Predictor],
        version: int,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        """Starts the threads that answer.

        Args:
          models: the opened model, once for each thread.
          version: its number.
          settings: what is refused, how images that wait become batches, and how they are read.
          metrics: where batches are counted.
        """
        self.info = models[0].info
        self.card = models[0].card
        self.explains = models[0].explains
        self.version = version
        self.signatures = (rest.SIGNATURE, rest.EXPLAIN) if self.explains else (rest.SIGNATURE,)
        self._settings = settings
        self._models = models
        self._batcher = Batcher(models, settings, metrics.batch_size.observe)

    @property
    def waiting(self) -> int:
        """Images that wait for the model."""
        return self._batcher.waiting

    def warm_up(self) -> None:
        """Answers blank images, in batches of every size, so that no request waits for what is done once."""
        file = io.BytesIO()
        Image.new("L", (64, 64)).save(file, "PNG")
        blank = predictor.read(file.getvalue(), "blank image")
        for model in dict.fromkeys(self._models):
            for size in self._batcher.sizes:
                model.predict_batch([blank] * size)
            if model.explains:
                model.explain_batch([blank])

    def metadata(self, name: str) -> dict[str, Any]:
        """Inputs and outputs, as TensorFlow Serving's GetModelMetadataResponse, and the model's record beside them.

        Args:
          name: of the model, in addresses.
        """
        described = {rest.SIGNATURE: rest.signature(self.info), rest.EXPLAIN: rest.explained(self.info)}
        signatures = {name: described[name] for name in self.signatures}
        return {
            "model_spec": {"name": name, "signature_name": "", "version": str(self.version)},
            "metadata": {"signature_def": {"signature_def": signatures}, "model_info": self.info.to_dict()},
        }

    async def predict(self, body: bytes) -> dict[str, Any]:
        """Answers a request to predict.

        Args:
          body: its JSON.

        Raises:
          Refusal: the request has not TensorFlow Serving's form, or is too much.
          CtcovError: one of the images cannot be read; none is answered.
        """
        request = await asyncio.to_thread(rest.read, body, self.signatures, self._settings.limits)
        coming = self._batcher.submit(request)
        try:
            answers = await asyncio.gather(*map(asyncio.wrap_future, coming))
        finally:
            for answer in coming:
                answer.cancel()
        return rest.write(answers, self.info, columns=request.columns)

    async def study(self, body: bytes) -> dict[str, Any]:
        """Answers DICOM files of one study or several.

        Args:
          body: its JSON, of the form of a request to predict, with a DICOM file in place of each image.

        Returns:
          `studies`, each as `ctcov predict --json` prints it, with its `slices`; and `refused`, why a file has no
          answer, by its place in the request.

        Raises:
          Refusal: the request has not that form, or is too much.
          CtcovError: DICOM files cannot be read here.
        """
        limits = dataclasses.replace(self._settings.limits, images=self._settings.limits.slices)
        request = await asyncio.to_thread(rest.read, body, (rest.SIGNATURE,), limits)
        stop = threading.Event()

        def check() -> None:
            if stop.is_set():
                raise asyncio.CancelledError  # nobody waits any longer

        def answer_image(name: str, data: bytes) -> Prediction:
            check()
            return self.answer_image(name, data)

        try:
            answered = await asyncio.to_thread(self.answer_study, request.images, answer_image, check=check)
        finally:
            stop.set()
        return {
            "studies": [study.record(self.info) | {"slices": list(study.records())} for study in answered.studies],
            "refused": answered.refused,
        }

    def answer_image(self, name: str, data: bytes) -> Prediction:
        """Answers one image, and waits for that.

        Args:
          name: what to call it in the answer and in errors.
          data: the image file's content.

        Raises:
          Refusal: the queue is full.
          CtcovError: the image cannot be read, or is not for the model.
        """
        return self._answered(name, data, explain=False)

    def explain_image(self, name: str, data: bytes) -> Explanation:
        """Answers one image and explains the answer, and waits for that; see `answer_image`."""
        return self._answered(name, data, explain=True)

    def _answered(self, name: str, data: bytes, *, explain: bool) -> Any:
        (coming,) = self._batcher.submit(rest.Request({name: data}, columns=False, explain=explain))
        return coming.result()

    def answer_study(
        self,
        sources: Mapping[str, bytes | pathlib.Path],
        answer_image: "served_study.AnswerImage",
        *,
        watch: "studies.Watch" = lambda series, answers: answers,
        check: Callable[[], None] = lambda: None,
    ) -> "served_study.Answered":
        """Answers DICOM files, and waits for that; see `served_study.answer`.

        Args:
          sources: the files, or their contents, by what they are called.
          answer_image: `answer_image`, or what calls it.
          watch: shows how far the slices are.
          check: is called before each header that is read; what it raises ends the whole.

        Raises:
          Refusal: there are too many slices.
          CtcovError: DICOM files cannot be read here.
        """
        errors.need(*predictor.DICOM)
        from ctcov_tf.serving import served_study

        return served_study.answer(sources, self.info, answer_image, self._settings, watch=watch, check=check)

    def close(self) -> None:
        """Ends the threads once nothing waits."""
        self._batcher.close()


def open_model(path: pathlib.Path, version: int, settings: Settings, metrics: Metrics) -> ServedModel:
    """Opens a version of a model and warms it up.

    Args:
      path: what `predictor.load` opens.
      version: its number.
      settings: what is refused, how images that wait become batches, and how they are read.
      metrics: where batches are counted.

    Raises:
      CtcovError: it cannot be opened.
    """
    if predictor.needs_tensorflow(path):
        tensorflow_log.load_quietly()
    workers = settings.batching.workers
    threads = max(1, (os.cpu_count() or 1) // workers)
    first = predictor.load(path, threads)
    edge = isinstance(first, predictor.EdgePredictor)  # its interpreter answers one thread at a time
    others = [predictor.load(path, threads) if edge else first for _ in range(workers - 1)]
    model = ServedModel([first, *others], version, settings, metrics)
    model.warm_up()
    return model
