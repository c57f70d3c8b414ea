"""What does it take to write each form of a network: time, memory, size?

    python -m benchmarks.export [--preset NAME] [--rounds N] [--json] [--record FILE]

Ours write the network alone, from pre-processed images to logits, as `export.py` does with the pre-processing in
front; peers write the same network. Every export runs in a process of its own, which reports the time of the export
and its largest memory; importing and building stand before it, the memory of these is the row `network alone`. The
forms take turns.
"""

from collections.abc import Callable
import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import tyro

from benchmarks import record, timing
from ctcov_tf import config as config_lib
from ctcov_tf import errors

ALONE = "network alone"
OURS = (
    "ctcov SavedModel float32",
    "ctcov SavedModel bfloat16",
    "ctcov TFLite float32",
    "ctcov TFLite float16",
    "ctcov TFLite dynamic_int8",
    "ctcov TFLite int8",
)
PEERS = ("Keras model.export", "PyTorch torch.onnx.export", "OpenVINO save_model", "OpenVINO save_model int8")


@dataclasses.dataclass(frozen=True)
class Options(record.Output):
    """Which network, and how often."""

    preset: str = "deep_ct_net_slim"
    """Preset whose network is exported, with random weights."""
    image_size: int = config_lib.IMAGE_SIZE
    """Side of the pre-processed images, pixels."""
    rounds: int = 3
    """Exports of each form."""
    one: str | None = None
    """Write this form only and report on it: what each process does."""


@errors.exit_cleanly
def main() -> None:
    """Measures every form and prints the result."""
    options = tyro.cli(Options, description=__doc__)
    if options.one:
        print(json.dumps(export(options.one, options)))
        return
    found: dict[str, list[dict[str, float]]] = {}
    skipped: dict[str, str] = {}
    for _ in range(options.rounds):
        for form in (ALONE, *OURS, *PEERS):
            if form in skipped:
                continue
            try:
                found.setdefault(form, []).append(_in_a_process(form, options))
            except errors.CtcovError as error:
                skipped[form] = errors.one_line(error)
                print(f"{form} is left out: {skipped[form]}")
    found = {form: of for form, of in found.items() if of}
    written = [form for form in found if form != ALONE]
    sizes = {form: {"MB": found[form][0]["megabytes"]} for form in written}
    cases = [
        record.Case(
            f"{options.preset}: time",
            "s",
            {form: timing.spread([one["seconds"] for one in found[form]]) for form in written},
            facts=sizes,
        ),
        record.Case(
            f"{options.preset}: largest memory",
            "MB",
            {form: timing.spread([one["memory"] for one in of]) for form, of in found.items()},
        ),
    ]
    settings = {"preset": options.preset, "image_size": options.image_size, "rounds": options.rounds}
    record.publish(record.make("export", settings, cases, [], skipped=skipped), options)


def export(form: str, options: Options) -> dict[str, float]:
    """Writes one form.

    Args:
      form: one of `OURS` and `PEERS`, or `ALONE` to write nothing.
      options: of the network.

    Returns:
      `seconds`, `memory` (largest resident set so far, MB) and `megabytes` of what was written.

    Raises:
      CtcovError: a package that the form needs is missing.
    """
    from benchmarks import our_forms, peer_forms, random_network
    from ctcov_tf import configs

    config = configs.load(options.preset).model
    model = random_network.build(config, options.image_size)
    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "written"
        writers: dict[str, Callable[[], object]] = {
            ALONE: lambda: None,
            "Keras model.export": lambda: model.export(path, verbose=False),
            "PyTorch torch.onnx.export": lambda: peer_forms.onnx_file(model, config, 1, path),
            "OpenVINO save_model": lambda: peer_forms.openvino_file(model, path),
            "OpenVINO save_model int8": lambda: peer_forms.openvino_file(model, path, int8=True),
        }
        for name in OURS:
            kind, precision = name.split()[1:]
            write = our_forms.write_saved_model if kind == "SavedModel" else our_forms.write_tflite
            writers[name] = lambda write=write, precision=precision: write(model, path, precision)
        start = time.perf_counter()
        writers[form]()
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "seconds": seconds,
            "memory": memory,
            "megabytes": our_forms.megabytes(path) if path.exists() else 0.0,
        }


def _in_a_process(form: str, options: Options) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.export", "--one", form, "--preset", options.preset]
    command += ["--image-size", str(options.image_size)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise errors.CtcovError(lines[-1].removeprefix("error: "))
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
