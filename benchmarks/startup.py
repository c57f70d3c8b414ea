"""How long does `ctcov` take from the start of its process to its answer, and what memory?

    python -m benchmarks.startup [MODEL IMAGE] [--rounds N] [--json] [--record FILE]

Whole processes that take turns: wall seconds, processor seconds of all threads, and largest resident memory. MODEL is
a TFLite file; without one, deep_ct_net_slim at 256 px with random weights is exported, and a 512 px slice is drawn.
`python` imports nothing, `LiteRT alone` is the least that answers an image. Servers are asked once and stopped. Goals:
0.3 s for `--help`, 0.4 s and 400 MB for an answer, 2 s until a server is ready.

Python keeps its compiled bytecode, as in any installation: the warm-up round writes it.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import tyro

from benchmarks import embedded_server, launcher, random_exports, record, timing

BARE = pathlib.Path(__file__).with_name("bare_litert.py")
HELP_SECONDS, ANSWER_SECONDS, ANSWER_MEGABYTES, READY_SECONDS = 0.3, 0.4, 400, 2.0
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
HEAVY = "ctcov predict, SavedModel"
UNITS = {"seconds": "s", "cpu_seconds": "CPU s", "megabytes": "MB"}

Taken = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Options(random_exports.Given):
    """What is measured, and how often."""

    rounds: int = 10
    """Rounds of commands with a TFLite file."""
    server_rounds: int = 5
    """Rounds of servers."""
    saved_model_rounds: int = 2
    """Rounds of commands that load TensorFlow."""


def main(options: Options) -> None:
    """Measures, prints and records."""
    with tempfile.TemporaryDirectory() as folder:
        if options.model and options.image:
            models, saved_model, image = {"": options.model}, None, options.image
        else:
            exports = random_exports.make_apart(pathlib.Path(folder))
            models = {f", {form}": exports.tflite(form) for form in ("float32", "int8")}
            saved_model, image = exports.saved_model, exports.image
        servers = {f"ctcov serve{form}": (model, image) for form, model in models.items()}
        taken = _in_turns(commands(models, image), options.rounds) | _in_turns(servers, options.server_rounds)
        if saved_model:
            taken |= _in_turns({HEAVY: _predict(saved_model, image)}, options.saved_model_rounds)
    record.publish(_record(options, taken, next(iter(models))), options)


def commands(models: dict[str, pathlib.Path], image: pathlib.Path) -> dict[str, list[str]]:
    """Command lines, by name.

    Args:
      models: TFLite files, by what is said of them behind a comma.
      image: the image file that they answer.
    """
    python = sys.executable
    found = {
        "python": [python, "-c", "pass"],
        "ctcov --help": [str(embedded_server.CTCOV), "--help"],
        "imports of ctcov predict": [python, "-c", "import ctcov_tf.cli, ctcov_tf.predict"],
    }
    for form, model in models.items():
        found[f"LiteRT alone{form}"] = [python, str(BARE), str(model), str(image)]
        found[f"ctcov predict{form}"] = _predict(model, image)
        found[f"ctcov predict --json{form}"] = [*_predict(model, image), "--json"]
    return found


def measure(command: list[str]) -> Taken:
    """Runs a process to its end.

    Args:
      command: program and arguments.

    Returns:
      `seconds`, `cpu_seconds` and `megabytes`, the largest resident memory.

    Raises:
      CalledProcessError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", launcher.__file__, *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    taken = json.loads(done.stdout)
    if code := taken.pop("code"):
        raise subprocess.CalledProcessError(code, command)
    return taken


def measure_server(model: pathlib.Path, image: pathlib.Path) -> Taken:
    """Starts a server, asks it once and stops it.

    Args:
      model: what it serves.
      image: image file.

    Returns:
      `seconds` until it is ready, `answer_seconds` until it has answered, `cpu_seconds` and `megabytes` until then.
    """
    body = embedded_server.request(image)
    start = time.perf_counter()
    with embedded_server.serving(model, ENVIRONMENT) as server:
        server.ask(server.connect(), body)
        answered = time.perf_counter() - start
        return {
            "seconds": server.ready_seconds,
            "answer_seconds": answered,
            "cpu_seconds": server.cpu_seconds(),
            "megabytes": server.memory()["largest"],
        }


def _predict(model: pathlib.Path, image: pathlib.Path) -> list[str]:
    return [str(embedded_server.CTCOV), "predict", str(model), str(image)]


def _in_turns(contestants: dict[str, Any], rounds: int) -> dict[str, list[Taken]]:
    """What each took in every round, after one to warm up."""
    taken: dict[str, list[Taken]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, what in contestants.items():
            taken[name].append(measure(what) if isinstance(what, list) else measure_server(*what))
    return {name: found[1:] for name, found in taken.items()}


def _record(options: Options, taken: dict[str, list[Taken]], form: str) -> dict[str, Any]:
    """The record.

    Args:
      options: what was chosen.
      taken: what each took in every round.
      form: name of the model that the goals are about.
    """

    def values(key: str) -> dict[str, list[float]]:
        return {name: [one[key] for one in found] for name, found in taken.items() if key in found[0]}

    seconds = values("seconds")
    answers = {f"{name}, first answer": found for name, found in values("answer_seconds").items()}
    cases = []
    for key, unit in UNITS.items():
        measured = values(key) | (answers if key == "seconds" else {})
        spread = {name: timing.spread(found) for name, found in measured.items()}
        over = timing.ratio(measured[f"ctcov predict{form}"], measured[f"LiteRT alone{form}"])
        light = {name: found for name, found in spread.items() if name != HEAVY}
        cases.append(record.Case("whole process", unit, light, {f"ctcov predict over LiteRT alone{form}": over}))
        if HEAVY in spread:
            cases.append(record.Case("with TensorFlow", unit, {HEAVY: spread[HEAVY]}))
    predict = f"ctcov predict{form}"
    goals = [
        record.Goal("ctcov --help, s", _median(seconds["ctcov --help"]), HELP_SECONDS),
        record.Goal(f"{predict}, s", _median(seconds[predict]), ANSWER_SECONDS),
        record.Goal(f"{predict}, MB", _median(values("megabytes")[predict]), ANSWER_MEGABYTES),
        record.Goal(f"ctcov serve{form}, s until ready", _median(seconds[f"ctcov serve{form}"]), READY_SECONDS),
    ]
    made = f"{random_exports.PRESET}, {random_exports.IMAGE_SIZE} px, random weights"
    settings = {
        "model": str(options.model or made),
        "rounds": options.rounds,
        "server_rounds": options.server_rounds,
        "saved_model_rounds": options.saved_model_rounds,
        "load_at_end": os.getloadavg()[0],
    }
    return record.make("startup", settings, cases, goals)


def _median(values: list[float]) -> float:
    return timing.spread(values)["median"]


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
