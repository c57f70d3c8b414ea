"""`ctcov ask`: image files to a served model, a table or JSON lines out."""

from collections.abc import Iterable, Iterator
import json
import math
import os
import pathlib
import sys
from typing import Any

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.images import decode
from ctcov_tf.serving import client
from ctcov_tf.serving.settings import TOKEN_VARIABLE


def ask_command(
    address: str,
    images: Iterable[pathlib.Path],
    *,
    as_json: bool = False,
    signature: str = client.SIGNATURE,
    batch: int = client.MOST_IMAGES,
    timeout: float = client.TIMEOUT,
) -> int:
    """Asks for image files: a table on stdout, or a JSON object a line with every output of the signature.

    An image that cannot be read gets one line on stderr; the others are answered all the same. The token of the
    environment variable CTCOV_TOKEN is sent along.

    Args:
      address: of the model, as `target.Target.parse` takes it.
      images: the image files.
      as_json: JSON lines instead of the table; numbers that are none are `null` there.
      signature: that is asked.
      batch: images in a request.
      timeout: seconds to wait for the server.

    Returns:
      Exit code: 0, or 2 where an image has no answer.

    Raises:
      CtcovError: the server cannot be reached, or refuses whatever it is sent.
    """
    paths = list(images)
    faults: list[str] = []
    width = max([len(str(path)) for path in paths] + [len("image")])
    if not as_json:
        print(f"{'image':{width}}  probability  threshold  decision")
    with client.connect(address, token=os.environ.get(TOKEN_VARIABLE), timeout=timeout) as served:
        for name, answer in client.predict_all(served, _read(paths, faults), signature, batch):
            if isinstance(answer, errors.CtcovError):
                _fault(f"{name}: {answer}", faults)
            elif as_json:
                print(json.dumps({"image": name, **_json(answer), "notice": RESEARCH_USE}), flush=True)
            else:
                print(f"{errors.printable(name):{width}}  {_row(answer)}", flush=True)
    if not as_json:
        print(RESEARCH_USE)
    return errors.EXIT_USER_ERROR if faults else 0


def _read(paths: list[pathlib.Path], faults: list[str]) -> Iterator[client.Image]:
    for path in paths:
        try:
            yield str(path), decode.read_bytes(path)
        except errors.CtcovError as error:
            _fault(str(error), faults)


def _fault(message: str, faults: list[str]) -> None:
    faults.append(message)
    print(f"error: {message}", file=sys.stderr)


def _row(answer: client.Answer) -> str:
    """Columns of the table; a dash where the model has no such output, or no number for this image."""
    probability, threshold = (_number(answer.get(name)) for name in ("probability", "threshold"))
    return f"{probability:>11}  {threshold:>9}  {answer.get('label') or '-'}"


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float | int) and math.isfinite(value) else "-"


def _json(value: Any) -> Any:
    """The same without what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
