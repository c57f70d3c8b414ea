"""Does the embedded server refuse whatever it is sent, with a message, and go on as before?

    python -m benchmarks.bad_requests [MODEL IMAGE] [--requests N] [--seed N] [--json] [--record FILE]

Requests to predict and for a study whose JSON, base64 or image was mutated (`benchmarks/mutated_requests.py`), one
after the other: PNG, JPEG, BMP and DICOM. Each is to be answered with 200 or 4xx, and 4xx with a message; never with
5xx, never not at all, never after long. The second half repeats the first: what the server keeps for the largest image
it has seen is there by then, and its memory is to stay where it is.

MODEL is what `ctcov serve` takes; without one, deep_ct_net_slim at 256 px with random weights is exported as TFLite.
"""

import collections
import contextlib
import dataclasses
import http.client
import io
import json
import pathlib
import random
import tempfile
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
import pydicom
from pydicom import uid
from pydicom.dataset import FileDataset, FileMetaDataset
import tyro

from benchmarks import embedded_server, mutated_requests, random_exports, record, timing

SLOWEST_SECONDS, GROWTH = 5.0, 1.05
SIDE = 96  # of the images, pixels
FORMATS = ("PNG", "JPEG", "BMP")
_HALF = 5  # of the tenths at which memory is read


@dataclasses.dataclass(frozen=True)
class Options(random_exports.Given):
    """What is asked."""

    requests: int = 10_000
    """How many."""
    seed: int = 0
    """Of what is made."""


@dataclasses.dataclass
class Found:
    """What came back.

    Attributes:
      statuses: answers by status.
      silent: refusals without a message.
      lost: requests that were not answered.
      seconds: of each answer.
      memory: of the server, resident MB, at the start and after each tenth of the requests.
    """

    statuses: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    silent: int = 0
    lost: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    memory: list[float] = dataclasses.field(default_factory=list)


def main(options: Options) -> None:
    """Asks, prints and records."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if options.model and options.image:
            model, image = options.model, options.image
        else:
            exports = random_exports.make_apart(pathlib.Path(folder))
            model, image = exports.tflite("float32"), exports.image
        server = stack.enter_context(embedded_server.serving(model))
        found = ask(server, images(image), options.requests, options.seed)
        assert server.ask(server.connect(), embedded_server.request(image)), "the server still answers"
    record.publish(_record(options, found), options)


def images(path: pathlib.Path) -> list[bytes]:
    """The image, small, as a file of every format."""
    small = Image.open(path).convert("RGB").resize((SIDE, SIDE))
    files = []
    for name in FORMATS:
        file = io.BytesIO()
        small.save(file, name)
        files.append(file.getvalue())
    return [*files, dicom_file(np.asarray(small.convert("L")))]


def dicom_file(grey: npt.NDArray) -> bytes:
    """A slice of chest CT: grey levels, uint8 (height, width), as Hounsfield units of the lung window.

    Args:
      grey: the levels.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = uid.CTImageStorage, _uid("instance")
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid("study"), _uid("series")
    dataset.Modality, dataset.BodyPartExamined, dataset.ImageType = "CT", "CHEST", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1500 / 255, -1350
    dataset.Rows, dataset.Columns = grey.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = grey.astype(np.uint16).tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset)
    return file.getvalue()


def _uid(name: str) -> uid.UID:
    """The same for the same name, so that the file is the same in every run."""
    return uid.generate_uid(entropy_srcs=["ctcov benchmark", name])


def ask(server: embedded_server.Asked, files: list[bytes], requests: int, seed: int) -> Found:
    """Sends mutated requests, one after the other; the second half is the first again.

    Args:
      server: what is asked.
      files: images to mutate.
      requests: how many.
      seed: of the mutations.
    """
    rng, found, connection = random.Random(seed), Found(), server.connect()
    paths = server.path, server.path.replace(":predict", ":study")
    for number in range(requests):
        if number == requests // 2:
            rng.seed(seed)
        if number % (requests // 10) == 0:
            found.memory.append(server.memory()["now"])
        body = mutated_requests.mutated(rng, files)
        asked = time.perf_counter()
        try:
            connection.request("POST", rng.choice(paths), body)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            found.lost += 1
            connection.close()
            continue
        found.seconds.append(time.perf_counter() - asked)
        found.statuses[answer.status] += 1
        found.silent += answer.status != 200 and not _has_message(content)
    found.memory.append(server.memory()["now"])
    return found


def _has_message(content: bytes) -> bool:
    try:
        return bool(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return False


def _record(options: Options, found: Found) -> dict[str, Any]:
    name = "ctcov serve"
    facts: dict[str, Any] = {f"answers_{status}": count for status, count in sorted(found.statuses.items())}
    facts["mb_by_tenth"] = [round(megabytes, 1) for megabytes in found.memory]
    case = record.Case("mutated requests", "ms a request", {name: timing.spread(found.seconds, 1e3)}, {}, {name: facts})
    faults = sum(count for status, count in found.statuses.items() if status >= 500)
    goals = [
        record.Goal("answers of status 5xx", faults, 0),
        record.Goal("refusals without a message", found.silent, 0),
        record.Goal("requests without an answer", found.lost, 0),
        record.Goal("slowest answer, s", max(found.seconds), SLOWEST_SECONDS),
        record.Goal("memory at the end over memory at half", found.memory[-1] / found.memory[_HALF], GROWTH),
    ]
    made = f"{random_exports.PRESET}, {random_exports.IMAGE_SIZE} px, random weights, TFLite float32"
    settings = {"model": str(options.model or made), "requests": options.requests, "seed": options.seed}
    return record.make("bad_requests", settings, [case], goals)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
