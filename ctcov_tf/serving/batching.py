"""Images of many requests, in batches: a queue before a model, and the threads that run it."""

import collections
from collections.abc import Callable, Sequence
from concurrent import futures
import dataclasses
import threading
import time

from ctcov_tf import predictor
from ctcov_tf.images import window
from ctcov_tf.predictor import Explanation, InputImage, Prediction, Predictor
from ctcov_tf.serving.rest import Refusal, Request
from ctcov_tf.serving.settings import Settings

Answer = futures.Future[Explanation | Prediction]

_STOP_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class _Waiting:
    """An image that waits for its answer."""

    name: str
    data: bytes
    explain: bool
    answer: Answer
    since: float


class Batcher:
    """A queue of images, and threads that answer what waits in it.

    A batch holds a power of two of images: a network keeps what it has prepared for each size of a batch, and few sizes
    are prepared at the start.
    """

    def __init__(
        self,
        models: Sequence[Predictor],
        settings: Settings,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        """Starts a thread for each model.

        Args:
          models: opened models, alike; one may stand there several times if it answers several threads at once.
          settings: largest batch, longest wait and queue, and how images are read.
          on_batch: is told the size of every batch that the model is given.
        """
        self._size = settings.batching.size if models[0].takes_batches else 1
        self._delay = settings.batching.delay
        self._limits = settings.limits
        self._modality = models[0].info.modality
        self._window = window.of(settings.window)
        self._on_batch = on_batch
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, args=(model,), name="model", daemon=True) for model in models
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Images that wait."""
        return len(self._queue)

    @property
    def sizes(self) -> list[int]:
        """Every size that a batch can have."""
        return [1 << power for power in range(self._size.bit_length())]

    def submit(self, request: Request) -> list[Answer]:
        """Puts a request's images into the queue.

        Args:
          request: what to answer.

        Returns:
          The coming answer to each image. One that is cancelled is not computed if that has not begun.

        Raises:
          Refusal: the queue has no room for all of them, and takes none.
        """
        now = time.monotonic()
        waiting = [_Waiting(name, data, request.explain, Answer(), now) for name, data in request.images.items()]
        with self._changed:
            if len(self._queue) + len(waiting) > self._limits.queue:
                raise Refusal(503, f"The queue is full: {len(self._queue)} images wait: ask again later")
            self._queue.extend(waiting)
            self._changed.notify_all()
        return [one.answer for one in waiting]

    def close(self) -> None:
        """Ends the threads once the queue is empty."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def _work(self, model: Predictor) -> None:
        while batch := self._next():
            self._answer(model, batch)

    def _next(self) -> list[_Waiting]:
        """The next batch; empty when there will be none."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return []
                left = self._queue[0].since + self._delay - time.monotonic()
                if left > 0:
                    self._changed.wait_for(lambda: len(self._queue) >= self._size or self._closed, left)
                if batch := self._take():
                    return batch

    def _take(self) -> list[_Waiting]:
        """Takes the images at the head of the queue that one run can answer, without those that nobody waits for."""
        while self._queue and self._queue[0].answer.cancelled():
            self._queue.popleft()
        alike = 0
        while alike < min(self._size, len(self._queue)) and self._queue[alike].explain == self._queue[0].explain:
            alike += 1
        size = 1 << (alike.bit_length() - 1) if alike else 0
        taken = [self._queue.popleft() for _ in range(size)]
        return [one for one in taken if one.answer.set_running_or_notify_cancel()]

    def _answer(self, model: Predictor, batch: Sequence[_Waiting]) -> None:
        """Answers a batch; an image that cannot be read, or that the model refuses, fails alone."""
        readable = []
        for one in batch:
            try:
                readable.append((one, self._read(one)))
            except Exception as error:
                one.answer.set_exception(error)
        if not readable:
            return
        self._on_batch(len(readable))
        try:
            answers = _run(model, [image for _, image in readable], explain=batch[0].explain)
        except Exception as error:
            if len(readable) == 1:
                readable[0][0].answer.set_exception(error)
            else:
                for one, _ in readable:
                    self._answer(model, [one])
            return
        for (one, _), answer in zip(readable, answers, strict=True):
            one.answer.set_result(answer)

    def _read(self, one: _Waiting) -> InputImage:
        return predictor.read(
            one.data,
            one.name,
            self._modality,
            max_pixels=self._limits.pixels,
            max_bytes=self._limits.body,
            window=self._window,
        )


def _run(model: Predictor, images: Sequence[InputImage], *, explain: bool) -> Sequence[Explanation | Prediction]:
    return model.explain_batch(images) if explain else model.predict_batch(images)
