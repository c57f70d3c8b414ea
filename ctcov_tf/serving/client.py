"""Asks a served model: TensorFlow Serving over REST or gRPC, or `ctcov serve` over REST.

    with client.connect("grpc://localhost:8500/v1/models/deep_ct_net_slim/labels/stable") as served:
        for name, answer in client.predict_all(served, images):
            ...

An answer is what the signature gives for one image, by the names of the outputs; whatever outputs there are. Numbers
that are none are `nan`.
"""

import abc
from collections.abc import Iterable, Iterator, Sequence
import math
from typing import Any

from ctcov_tf import errors
from ctcov_tf.serving.not_answered import NotAnswered
from ctcov_tf.serving.retries import Retries
from ctcov_tf.serving.target import Target

INPUT = "image_bytes"
SIGNATURE = "serving_default"
TIMEOUT = 30.0
"""Seconds to wait for the server; TensorFlow Serving's own limit for REST."""

MOST_IMAGES = 16
MOST_BYTES = 16 * 2**20
"""Of image files in one request; a third more in base64, which stays below the 32 MB of `ctcov serve`."""

RETRIES = Retries()

Answer = dict[str, Any]
Image = tuple[str, bytes]  # name, and content of the file


class Client(abc.ABC):
    """A connection to a served model; to be closed, or used in a `with` statement.

    Attributes:
      target: what is asked.
      timeout: seconds to wait for the server.
      retries: of each request.
    """

    def __init__(self, target: Target, timeout: float, retries: Retries) -> None:
        self.target, self.timeout, self.retries = target, timeout, retries

    def predict(self, images: Sequence[bytes], signature: str = SIGNATURE) -> list[Answer]:
        """Asks for all images in one request.

        Args:
          images: content of at least one image file.
          signature: one that takes image files: `serving_default` or `explain`.

        Returns:
          The answer to each image: strings, numbers and lists of these by the output's name.

        Raises:
          NotAnswered: the server cannot be reached or refuses, also where one image cannot be read.
        """
        return self.retries.call(lambda: self._predict(images, signature))

    def signatures(self) -> dict[str, Any]:
        """What the model takes and gives: SignatureDefs in JSON by their names.

        Raises:
          NotAnswered: the server cannot be reached or refuses.
        """
        return self.retries.call(self._signatures)

    def versions(self) -> dict[int, str]:
        """State of each version that the server knows, or of the one that is asked: `AVAILABLE` where it answers.

        Raises:
          NotAnswered: the server cannot be reached or refuses.
        """
        return self.retries.call(self._versions)

    @abc.abstractmethod
    def close(self) -> None:
        """Ends the connection."""

    @abc.abstractmethod
    def _predict(self, images: Sequence[bytes], signature: str) -> list[Answer]: ...

    @abc.abstractmethod
    def _signatures(self) -> dict[str, Any]: ...

    @abc.abstractmethod
    def _versions(self) -> dict[int, str]: ...

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(address: str, *, token: str | None = None, timeout: float = TIMEOUT, retries: Retries = RETRIES) -> Client:
    """Makes the client for an address. gRPC needs TensorFlow, whose import takes seconds; REST does not.

    Args:
      address: as `Target.parse` takes it.
      token: sent as `Authorization: Bearer TOKEN`; None for none.
      timeout: seconds to wait for the server: over gRPC for the whole answer, over REST for its next sign.
      retries: of each request.

    Raises:
      CtcovError: the address has another form, or a package is not installed.
    """
    target = Target.parse(address)
    try:
        if target.scheme.startswith("grpc"):
            from ctcov_tf.serving.grpc_client import GrpcClient

            return GrpcClient(target, token, timeout, retries)
        from ctcov_tf.serving.rest_client import RestClient

        return RestClient(target, token, timeout, retries)
    except ModuleNotFoundError as error:
        raise errors.CtcovError(f"{error.name}: not installed: install it with pip install 'ctcov[serve]'") from error


def batches(images: Iterable[Image], most: int = MOST_IMAGES, most_bytes: int = MOST_BYTES) -> Iterator[list[Image]]:
    """Groups images, in order, for one request each.

    Args:
      images: name and content of each.
      most: images of a group, at least 1.
      most_bytes: of a group's files together; a file of more is a group of its own.
    """
    group: list[Image] = []
    size = 0
    for image in images:
        if group and (len(group) == most or size + len(image[1]) > most_bytes):
            yield group
            group, size = [], 0
        group.append(image)
        size += len(image[1])
    if group:
        yield group


def predict_all(
    served: Client, images: Iterable[Image], signature: str = SIGNATURE, most: int = MOST_IMAGES
) -> Iterator[tuple[str, Answer | NotAnswered]]:
    """Asks for any number of images, many in a request.

    A request that is refused for what is in it (status 400 or 413) is made again in two halves, down to single images:
    an image that cannot be read costs the others nothing.

    Args:
      served: what is asked.
      images: name and content of each.
      signature: as `Client.predict` takes it.
      most: images in a request.

    Yields:
      Name of each image, in order, and its answer, or why this image has none.

    Raises:
      NotAnswered: the server cannot be reached, or refuses whatever it is sent.
      CtcovError: the model has no such signature, or it takes no image files.
    """
    for group in batches(images, most):
        yield from _predict_group(served, group, signature)


def _check_signature(served: Client, signature: str) -> None:
    """Makes sure that a refusal is not about model, version or signature, which smaller requests do not mend."""
    found = served.signatures()
    taking_files = [name for name, one in found.items() if set(one["inputs"]) == {INPUT}]
    if signature not in taking_files:
        raise errors.CtcovError(
            f"{served.target}: no signature {signature} that takes image files: "
            f"choose another (--signature): {', '.join(taking_files) or 'none of this model takes them'}"
        )


def _predict_group(served: Client, group: list[Image], signature: str) -> Iterator[tuple[str, Answer | NotAnswered]]:
    names = [name for name, _ in group]
    try:
        answers = served.predict([content for _, content in group], signature)
    except NotAnswered as error:
        if error.status not in (400, 413):
            raise
        _check_signature(served, signature)
        if len(group) == 1:
            yield names[0], error
            return
        middle = math.ceil(len(group) / 2)
        yield from _predict_group(served, group[:middle], signature)
        yield from _predict_group(served, group[middle:], signature)
    else:
        yield from zip(names, answers, strict=True)
