"""What does the embedded server cost over the bare runtime, and what does it bear?

    python -m benchmarks.serving [MODEL IMAGE] [--rounds N] [--json] [--record FILE]

One image a request, and one request after the other: bare LiteRT (decoding with Pillow, in this process), the same
through `predictor`, `ctcov serve` with the same TFLite file and the same image, and with the SavedModel; they take
turns. The goal is a latency of at most 1.15 times bare LiteRT's. All traffic stays on this machine. `benchmarks.load`
asks with many clients at once.

MODEL is a TFLite file; without one, deep_ct_net_slim at 256 px with random weights is exported, and a 512 px slice is
drawn.
"""

import contextlib
import dataclasses
import functools
import io
import os
import pathlib
import tempfile
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
    record.publish(_record(options, seconds), options)


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


def _record(options: Options, seconds: dict[str, list[float]]) -> dict[str, Any]:
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
    goals = [
        record.Goal(f"{SERVED} over {BARE}", ratios[f"{SERVED} over {BARE}"]["median"], OVER_BARE),
    ]
    made = f"{random_exports.PRESET}, {random_exports.IMAGE_SIZE} px, random weights"
    settings = {
        "model": str(options.model or made),
        "rounds": options.rounds,
        "load_at_end": os.getloadavg()[0],
    }
    return record.make("serving", settings, [one], goals)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
