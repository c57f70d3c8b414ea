"""What `ctcov serve` can be told: where it listens, what it refuses, how it batches. Only the standard library."""

from collections.abc import Mapping, Sequence
import dataclasses
import pathlib

from ctcov_tf import errors

TOKEN_VARIABLE = "CTCOV_TOKEN"
"""Environment variable of the token: what a server asks for, and what a client sends."""

PORT = 8501
"""TensorFlow Serving's, for REST."""

MAX_PIXELS = 40_000_000
"""What every model refuses by itself (`images.decode.MAX_PIXELS`); a server may refuse more."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one server takes on; whatever is above is refused before it costs anything.

    Attributes:
      body: longest request, bytes. The default has room for 24 MB of image files, a third more in base64.
      pixels: largest image, known before it is decoded.
      images: most images of one request.
      slices: most slices of one study.
      queue: most images that wait for the model.
      seconds: longest time from a request's first byte to its answer.
    """

    body: int = 32 * 2**20
    pixels: int = MAX_PIXELS
    images: int = 64
    slices: int = 2000
    queue: int = 128
    seconds: float = 30.0

    @property
    def bodies(self) -> int:
        """Most bytes of all requests that are being read or answered."""
        return 8 * self.body

    @property
    def visitor_bytes(self) -> int:
        """Most bytes of files that one visitor of the page has uploaded and that wait to be read."""
        return 8 * self.body

    @property
    def visitors_bytes(self) -> int:
        """Most bytes of files of all visitors together."""
        return 4 * self.visitor_bytes

    @property
    def values(self) -> int:
        """Most values of one request's JSON: a small body can hold millions, each of which becomes an object."""
        return 100 + 4 * self.images


@dataclasses.dataclass(frozen=True)
class Batching:
    """How images that wait become batches.

    Attributes:
      size: most images in one run of the model, for models that take batches.
      delay: seconds for which an image may wait for others, although the model is free.
      workers: threads that run the model at once; a TFLite file is opened once for each, and they share the processors.
    """

    size: int = 8
    delay: float = 0.0
    workers: int = 1


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that `ctcov serve` can be told, beside the model.

    Attributes:
      host: address to listen at.
      port: port to listen at; 0 takes a free one.
      allowed_hosts: names that requests may call the server by, beside `host` and those of the loopback.
      name: of the model in addresses; its own if None.
      labels: versions, by the label that requests may name instead; `stable` is the one in service if not told.
      limits: what is refused.
      batching: how images that wait become batches.
      poll: seconds between two looks for new versions.
      window: centre and width of the window that CT in DICOM files goes through, Hounsfield units; that of the lung if
        None.
      token_file: file that holds the token that requests must bring; None for the environment's, or for none.
      access_log: whether a line a request goes to stderr.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    allowed_hosts: Sequence[str] = ()
    name: str | None = None
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    limits: Limits = Limits()
    batching: Batching = Batching()
    poll: float = 1.0
    window: tuple[float, float] | None = None
    token_file: pathlib.Path | None = None
    access_log: bool = False

    def __post_init__(self) -> None:
        if self.limits.images > self.limits.queue:
            raise errors.CtcovError(
                f"--max-images {self.limits.images}: more than --max-queue {self.limits.queue}: "
                "such a request could never be answered: raise --max-queue"
            )
        if self.limits.pixels > MAX_PIXELS:
            raise errors.CtcovError(
                f"--max-pixels {self.limits.pixels}: models refuse more than {MAX_PIXELS}: choose at most that"
            )
