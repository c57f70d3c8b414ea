"""From minutes to an image size and a number of epochs that are the same for every method.

The time of a training step is taken to grow with the pixels of an image; an image that is validated costs a third of
one that is trained on.
"""

from collections.abc import Mapping, Sequence
import dataclasses

from ctcov_tf import errors

SIZES = (256, 224, 192, 160, 128, 112, 96, 80, 64)
"""Sides that are tried, pixels, the largest first: the first is the paper's."""

ENOUGH_EPOCHS = 24
"""A larger image is chosen only where so many epochs fit: short runs from random weights fail for want of steps."""

MOST_EPOCHS = 60
"""Passes beyond which time is spent on larger images, or not at all."""

RESERVE = 0.15
"""Share of the time left for building graphs, calibration and evaluation."""

_VALIDATION_SHARE = 1 / 3


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a method's training step takes.

    Attributes:
      seconds: of one step of a batch.
      once: whether it passes over the images once, however many epochs there are.
      seen: images of an epoch over the training images: bags leave slices of large groups out and repeat small ones'.
    """

    seconds: float
    once: bool = False
    seen: float = 1.0


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be done in the time.

    Attributes:
      timings: of each method.
      timed_at: side of the images that they were timed at, pixels.
      batch_size: images of a step.
      training_images: of an epoch.
      validation_images: judged after each epoch.
      seeds: trainings of each method.
    """

    timings: Mapping[str, Timing]
    timed_at: int
    batch_size: int
    training_images: int
    validation_images: int
    seeds: int

    def seconds(self, method: str, image_size: int, epochs: int) -> float:
        """Expected time of one training.

        Args:
          method: one of `timings`.
          image_size: side of the images, pixels.
          epochs: passes over the training images.
        """
        timing = self.timings[method]
        validation = _VALIDATION_SHARE * self.validation_images / self.batch_size
        steps = timing.seen * (self.training_images // self.batch_size + validation)
        return timing.seconds * (image_size / self.timed_at) ** 2 * steps * (1 if timing.once else epochs)

    def total(self, image_size: int, epochs: int) -> float:
        """Expected seconds of all trainings, with the reserve."""
        each = sum(self.seconds(method, image_size, epochs) for method in self.timings)
        return self.seeds * each / (1 - RESERVE)


@dataclasses.dataclass(frozen=True)
class Choice:
    """Settings that fit a budget.

    Attributes:
      image_size: side of the images of all methods, pixels.
      epochs: passes of all methods.
      seconds: expected time of one training of each method.
      total: expected time of all of them, with the reserve.
    """

    image_size: int
    epochs: int
    seconds: dict[str, float]
    total: float


def choose(work: Work, minutes: float, sizes: Sequence[int] = SIZES) -> Choice:
    """The largest images with which `ENOUGH_EPOCHS` fit, and as many epochs as then fit.

    Args:
      work: what is to be done.
      minutes: for all trainings of all methods together.
      sizes: sides that may be chosen, pixels, the largest first.

    Raises:
      CtcovError: not one epoch fits at the smallest size.
    """
    for image_size in sizes:
        epochs = _most_epochs(work, image_size, 60 * minutes)
        if epochs >= ENOUGH_EPOCHS or (epochs and image_size == sizes[-1]):
            seconds = {method: work.seconds(method, image_size, epochs) for method in work.timings}
            return Choice(image_size, epochs, seconds, work.total(image_size, epochs))
    least = work.total(sizes[-1], 1) / 60
    raise errors.CtcovError(
        f"--budget {minutes:g}: one epoch of every method and seed takes about {least:.1f} minutes at {sizes[-1]} px: "
        "allow more, or choose fewer --methods or --seeds"
    )


def _most_epochs(work: Work, image_size: int, seconds: float) -> int:
    fitting = [epochs for epochs in range(1, MOST_EPOCHS + 1) if work.total(image_size, epochs) <= seconds]
    return max(fitting, default=0)
