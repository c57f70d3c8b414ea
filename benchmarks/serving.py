"""What does the embedded server cost over the bare runtime, and what does it bear?

    python -m benchmarks.serving [MODEL IMAGE] [--rounds N] [--clients N] [--seconds S] [--json] [--record FILE]

One image a request, and one request after the other: bare LiteRT (decoding with Pillow, in this process), the same
through `predictor`, `ctcov serve` with the same TFLite file and the same image, and with the SavedModel; they take
turns. Then many clients at once for some seconds: answers, delays, errors, and the server's memory before and after.
The goal is a latency of at most 1.15 times bare LiteRT's. All traffic stays on this machine.

MODEL is a TFLite file; without one, deep_ct_net_slim at 256 px with random weights is exported, and a 512 px slice is
drawn.
"""

from concurrent import futures
import contextlib
import dataclasses
import functools
import http.client
import io
import os
import pathlib
import tempfile
import time
from typing import Any

from ai_edge_litert.interpreter import Interpreter
import numpy as np
from PIL import Image
import tyro

from benchmarks import embedded_server, random_exports, record, timing
from ctcov_tf import predictor

OVER_BARE = 1.15
BARE, SERVED = "LiteRT alone", "ctcov serve, float32"


@dataclasses.dataclass(frozen=True)
class Options(random_exports.Given):
    """What is measured, and how often."""

    rounds: int = 40
    """Requests to each, one after the other."""
    clients: int = 8
    """Clients at once."""
    seconds: float = 5.0
    """How long they ask."""


@dataclasses.dataclass(frozen=True)
class Load:
    """What clients found.

    Attributes:
      delays: seconds of every answer.
      errors: requests that were not answered.
      seconds: from the first request to the last answer.
      memory: of the server, resident MB before and after.
    """

    delays: list[float]
    errors: int
    seconds: float
    memory: tuple[float, float]


def main(options: Options) -> None:
    """Measures, prints and records."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if options.model and options.image:
            model, saved_model, image = options.model, None, options.image
        else:
            exports = random_exports.make_apart(pathlib.Path(folder))
            model, saved_model, image = exports.tflite("float32"), exports.saved_model, exports.image
        served = {SERVED: stack.enter_context(embedded_server.serving(model))}
        if saved_model:
            served["ctcov serve, SavedModel"] = stack.enter_context(embedded_server.serving(saved_model))
        contestants = {
            BARE: functools.partial(bare(model), image.read_bytes()),
            "ctcov predictor": functools.partial(predictor.load(model).predict, image.read_bytes(), "image"),
        } | {name: asking(server, image) for name, server in served.items()}
        seconds = timing.in_turns(contestants, options.rounds, warm_up=3)
        found = load(served[SERVED], embedded_server.request(image), options.clients, options.seconds)
    record.publish(_record(options, seconds, found), options)


def bare(model: pathlib.Path) -> Any:
    """The least that answers an image file's bytes.

    Args:
      model: the TFLite file.

    Returns:
      A function from bytes to the outputs.
    """
    answer = Interpreter(model_path=str(model), num_threads=os.cpu_count()).get_signature_runner()
    return lambda data: answer(image=np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[np.newaxis])


def asking(server: embedded_server.Server, image: pathlib.Path) -> Any:
    """A function that asks for one image over a connection that stays open."""
    return functools.partial(server.ask, server.connect(), embedded_server.request(image))


def load(server: embedded_server.Server, body: bytes, clients: int, seconds: float) -> Load:
    """Asks with many clients at once, each again as soon as it is answered.

    Args:
      server: what is asked.
      body: the request.
      clients: how many.
      seconds: how long.
    """

    def ask() -> tuple[list[float], int]:
        delays, errors = [], 0
        connection = server.connect()
        while time.perf_counter() < end:
            asked = time.perf_counter()
            try:
                server.ask(connection, body)
                delays.append(time.perf_counter() - asked)
            except (OSError, RuntimeError, http.client.HTTPException):
                errors += 1
                connection.close()
        connection.close()
        return delays, errors

    before = server.memory()["now"]
    start = time.perf_counter()
    end = start + seconds
    with futures.ThreadPoolExecutor(clients) as pool:
        found = [asked.result() for asked in [pool.submit(ask) for _ in range(clients)]]
    passed = time.perf_counter() - start
    delays = [delay for one, _ in found for delay in one]
    return Load(delays, sum(errors for _, errors in found), passed, (before, server.memory()["now"]))


def _record(options: Options, seconds: dict[str, list[float]], found: Load) -> dict[str, Any]:
    ratios = {
        f"{name} over {BARE}": timing.ratio(values, seconds[BARE]) for name, values in seconds.items() if name != BARE
    }
    one = record.Case(
        "one request after the other",
        "ms an image",
        {name: timing.spread(values, 1e3) for name, values in seconds.items()},
        ratios,
        {name: {"images_a_second": _rounded(1 / np.median(values))} for name, values in seconds.items()},
    )
    name = f"ctcov serve, {options.clients} clients"
    facts = {
        "images_a_second": _rounded(len(found.delays) / found.seconds),
        "p95_ms": _rounded(1e3 * np.quantile(found.delays, 0.95)),
        "p99_ms": _rounded(1e3 * np.quantile(found.delays, 0.99)),
        "errors": found.errors,
        "mb_before": _rounded(found.memory[0]),
        "mb_after": _rounded(found.memory[1]),
    }
    many = record.Case("clients at once", "ms an image", {name: timing.spread(found.delays, 1e3)}, {}, {name: facts})
    goals = [
        record.Goal(f"{SERVED} over {BARE}", ratios[f"{SERVED} over {BARE}"]["median"], OVER_BARE),
        record.Goal("errors under load", found.errors, 0),
    ]
    made = f"{random_exports.PRESET}, {random_exports.IMAGE_SIZE} px, random weights"
    settings = {
        "model": str(options.model or made),
        "rounds": options.rounds,
        "clients": options.clients,
        "seconds": options.seconds,
        "load_at_end": os.getloadavg()[0],
    }
    return record.make("serving", settings, [one, many], goals)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
