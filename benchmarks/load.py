"""What does the embedded server bear: many clients for a minute, and a new version while they ask?

    python -m benchmarks.load [MODEL IMAGE] [--clients N] [--seconds S] [--json] [--record FILE]

Clients that each ask again as soon as they are answered, with the TFLite file and with the SavedModel. After half of
the time a second version is put into the folder; it differs in its threshold, which every answer names, so that the
answers tell which version gave them. No request may fail or stay without an answer, before, during and after the
switch; and the server's memory is to be the same at the end of the first half as a sixth of the time before.
All traffic stays on this machine.

MODEL is a TFLite file; without one, deep_ct_net_slim at 256 px with random weights is exported, and a 512 px slice is
drawn.
"""

from collections.abc import Callable
import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import shutil
import tempfile
import time
from typing import Any
import zipfile

import numpy as np
import tyro

from benchmarks import embedded_server, random_exports, record, timing
from ctcov_tf.edge import runner

GROWTH = 1.05
SECOND_THRESHOLD = 0.25


@dataclasses.dataclass(frozen=True)
class Options(random_exports.Given):
    """Who asks, and for how long."""

    clients: int = 32
    """Clients at once."""
    seconds: float = 60.0
    """How long they ask."""
    saved_model: bool = True
    """Whether to ask a SavedModel too."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One request and what became of it.

    Attributes:
      asked: when, seconds from the start.
      seconds: until it was answered.
      threshold: that the answer names; None where there is no answer of status 200.
      fault: why there is none; empty where there is one.
    """

    asked: float
    seconds: float
    threshold: float | None
    fault: str = ""


@dataclasses.dataclass(frozen=True)
class Load:
    """What clients found.

    Attributes:
      answers: every request, by the time when it was asked.
      seconds: from the first request to the last answer.
      memory: of the server, by seconds from the start: resident MB.
    """

    answers: list[Answer]
    seconds: float
    memory: dict[float, float]

    @property
    def delays(self) -> list[float]:
        """Seconds of every answer."""
        return [answer.seconds for answer in self.answers if not answer.fault]

    @property
    def faults(self) -> list[str]:
        """What went wrong, once for each request."""
        return [answer.fault for answer in self.answers if answer.fault]

    def memory_at(self, second: float) -> float:
        """Resident MB at about a time."""
        return self.memory[min(self.memory, key=lambda taken: abs(taken - second))]


def main(options: Options) -> None:
    """Measures, prints and records."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.model and options.image:
            model, saved_model, image = options.model, None, options.image
        else:
            exports = random_exports.make_apart(folder / "made")
            model, image = exports.tflite("float32"), exports.image
            saved_model = exports.saved_model / "1" if options.saved_model else None
        found = {"ctcov serve, TFLite float32": measure(folder / "tflite", model, put_tflite, image, options)}
        if saved_model:
            name = "ctcov serve, SavedModel"
            found[name] = measure(folder / "saved_model", saved_model, put_saved_model, image, options)
    record.publish(_record(options, found), options)


def measure(
    folder: pathlib.Path,
    model: pathlib.Path,
    put: Callable[[pathlib.Path, pathlib.Path, int], None],
    image: pathlib.Path,
    options: Options,
) -> Load:
    """Serves a folder of versions and asks it; after half of the time a second version is put there.

    Args:
      folder: to make.
      model: what the versions are made of.
      put: makes a version: of the model, in the folder, with its number.
      image: image file that is asked for.
      options: who asks, and for how long.
    """
    put(model, folder, 1)
    with embedded_server.serving(folder) as server:
        body = embedded_server.request(image)
        return load(
            server, body, options.clients, options.seconds, {options.seconds / 2: lambda: put(model, folder, 2)}
        )


def put_tflite(model: pathlib.Path, folder: pathlib.Path, version: int) -> None:
    """Puts a TFLite file into a folder of versions; the second has another threshold."""
    written = folder / str(version) / "model.tflite"
    written.parent.mkdir(parents=True)
    if version == 1:
        shutil.copy(model, written)
        return
    with zipfile.ZipFile(model) as archive:
        length = archive.infolist()[0].header_offset
    beside = folder / "model.part"
    beside.write_bytes(model.read_bytes()[:length])
    runner.append_record(beside, dataclasses.replace(runner.read_record(model), threshold=SECOND_THRESHOLD))
    beside.rename(written)


def put_saved_model(model: pathlib.Path, folder: pathlib.Path, version: int) -> None:
    """Copies a SavedModel into a folder of versions, file by file; the second has another threshold."""
    written = folder / str(version)
    shutil.copytree(model, written)
    if version != 1:
        place = written / "assets.extra" / runner.RECORD
        content = json.loads(place.read_text(encoding="utf-8"))
        place.write_text(json.dumps(content | {"threshold": SECOND_THRESHOLD}), encoding="utf-8")


def load(
    server: embedded_server.Asked,
    body: bytes,
    clients: int,
    seconds: float,
    events: dict[float, Callable[[], None]] | None = None,
) -> Load:
    """Asks with many clients at once, each again as soon as it is answered.

    Args:
      server: what is asked.
      body: the request.
      clients: how many.
      seconds: how long.
      events: what is to be done meanwhile, by seconds from the start.
    """
    start = time.perf_counter()

    def ask() -> list[Answer]:
        answers = []
        with contextlib.closing(server.connect()) as connection:
            while (asked := time.perf_counter() - start) < seconds:
                threshold, fault = None, ""
                try:
                    threshold = server.ask(connection, body)["threshold"]
                except (OSError, RuntimeError, http.client.HTTPException) as error:
                    fault = f"{type(error).__name__}: {error}"
                    connection.close()
                answers.append(Answer(asked, time.perf_counter() - start - asked, threshold, fault))
        return answers

    memory: dict[float, float] = {}
    left = dict(events or {})
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        while concurrent.futures.wait(asking, timeout=0.5).not_done:
            passed = time.perf_counter() - start
            memory[passed] = server.memory()["now"]
            for due in [due for due in left if due <= passed]:
                left.pop(due)()
        answers = [answer for asked in asking for answer in asked.result()]
    passed = time.perf_counter() - start
    memory[passed] = server.memory()["now"]
    return Load(sorted(answers, key=lambda answer: answer.asked), passed, memory)


def _record(options: Options, found: dict[str, Load]) -> dict[str, Any]:
    facts, goals = {}, []
    for name, one in found.items():
        second = [answer for answer in one.answers if answer.threshold == SECOND_THRESHOLD]
        early, late = one.memory_at(options.seconds / 3), one.memory_at(options.seconds / 2)
        facts[name] = {
            "requests": len(one.answers),
            "images_a_second": _rounded(len(one.delays) / one.seconds),
            "p95_ms": _rounded(1e3 * np.quantile(one.delays, 0.95)),
            "p99_ms": _rounded(1e3 * np.quantile(one.delays, 0.99)),
            "answers_of_version_2": len(second),
            "mb_at_a_third": _rounded(early),
            "mb_at_half": _rounded(late),
            "mb_largest": _rounded(max(one.memory.values())),
            "mb_at_end": _rounded(one.memory_at(one.seconds)),
            "faults": sorted(set(one.faults))[:5],
        }
        goals += [
            record.Goal(f"requests that failed or were lost, {name}", len(one.faults), 0),
            record.Goal(f"answers of the version that came under load, {name}", len(second), 1, at_least=True),
            record.Goal(f"memory at half of the time over that at a third, {name}", late / early, GROWTH),
        ]
    values = {name: timing.spread(one.delays, 1e3) for name, one in found.items()}
    case = record.Case(f"{options.clients} clients at once", "ms an image", values, {}, facts)
    made = f"{random_exports.PRESET}, {random_exports.IMAGE_SIZE} px, random weights"
    settings = {
        "model": str(options.model or made),
        "clients": options.clients,
        "seconds": options.seconds,
        "load_at_end": os.getloadavg()[0],
    }
    return record.make("load", settings, [case], goals)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
