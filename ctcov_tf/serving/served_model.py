"""One version of a model, opened and ready: what it says of itself and of images."""

import asyncio
import io
import os
import pathlib
from typing import Any

from PIL import Image

from ctcov_tf import predictor, tensorflow_log
from ctcov_tf.serving import rest
from ctcov_tf.serving.batching import Batcher
from ctcov_tf.serving.metrics import Metrics
from ctcov_tf.serving.settings import Batching, Limits


class ServedModel:
    """One version of a model, with the queue before it.

    Attributes:
      info: the model's record.
      version: its number.
      signatures: names of those that it answers.
    """

    def __init__(
        self,
        models: list[predictor.Predictor],
        version: int,
        batching: Batching,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        """Starts the threads that answer.

        Args:
          models: the opened model, once for each thread.
          version: its number.
          batching: how images that wait become batches.
          limits: what is refused.
          metrics: where batches are counted.
        """
        self.info = models[0].info
        self.version = version
        self.signatures = (rest.SIGNATURE, rest.EXPLAIN) if models[0].explains else (rest.SIGNATURE,)
        self._limits = limits
        self._models = models
        self._batcher = Batcher(models, batching, limits, metrics.batch_size.observe)

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
        request = await asyncio.to_thread(rest.read, body, self.signatures, self._limits)
        coming = self._batcher.submit(request)
        try:
            answers = await asyncio.gather(*map(asyncio.wrap_future, coming))
        finally:
            for answer in coming:
                answer.cancel()
        return rest.write(answers, self.info, columns=request.columns)

    def close(self) -> None:
        """Ends the threads once nothing waits."""
        self._batcher.close()


def open_model(path: pathlib.Path, version: int, batching: Batching, limits: Limits, metrics: Metrics) -> ServedModel:
    """Opens a version of a model and warms it up.

    Args:
      path: what `predictor.load` opens.
      version: its number.
      batching: how images that wait become batches.
      limits: what is refused.
      metrics: where batches are counted.

    Raises:
      CtcovError: it cannot be opened.
    """
    if path.is_dir():
        tensorflow_log.load_quietly()
    workers = batching.workers
    threads = max(1, (os.cpu_count() or 1) // workers)
    first = predictor.load(path, threads)
    edge = isinstance(first, predictor.EdgePredictor)  # its interpreter answers one thread at a time
    others = [predictor.load(path, threads) if edge else first for _ in range(workers - 1)]
    model = ServedModel([first, *others], version, batching, limits, metrics)
    model.warm_up()
    return model
