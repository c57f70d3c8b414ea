"""`ctcov <command>`: parses and dispatches; each command's own module does the work.

Modules are imported where a command needs them, and the parser is argparse: one that reads signatures takes more than a
quarter of the 0.4 s in which a TFLite file is to be answered.
"""

import argparse
from collections.abc import Callable, Sequence
import os
import pathlib
import re
from typing import Any, NoReturn

from ctcov_tf import RESEARCH_USE, errors, tensorflow_log
from ctcov_tf.config import FINDINGS
from ctcov_tf.serving import settings as serving

SPLITS = ("train", "validation", "test")
ARMS = ("none", "part1", "part2", "both")


def evaluate(run: pathlib.Path, splits: Sequence[Any]) -> int:
    """Metrics with intervals, figures and report of a run."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import protocols

    print(protocols.table(protocols.evaluate(loaded, splits, reason="ctcov evaluate")))
    print(f"report: {loaded.report_file}\n{RESEARCH_USE}")
    return 0


def explain(run: pathlib.Path, images: Sequence[pathlib.Path], out: pathlib.Path) -> int:
    """Grad-CAM heat maps of images, laid over them."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import examples

    for record in examples.explain_images(loaded, images, out):
        print(f"{record['probability']:.3f}  {record['overlay']}")
    print(RESEARCH_USE)
    return 0


def predict(model: pathlib.Path, images: Sequence[pathlib.Path], json: bool, heatmap: pathlib.Path | None) -> int:
    """Probability and decision for image files."""
    _leave_processors_to_the_model()
    from ctcov_tf import predict as predict_lib

    if model.is_dir():
        tensorflow_log.load_quietly()
    return predict_lib.predict_command(model, images, as_json=json, heatmap=heatmap)


def serve(
    model: pathlib.Path,
    host: str,
    port: int,
    name: str | None,
    label: Sequence[tuple[str, int]],
    poll: float,
    token_file: pathlib.Path | None,
    access_log: bool,
    max_batch: int,
    batch_delay: float,
    workers: int,
    max_body: int,
    max_pixels: int,
    max_images: int,
    max_queue: int,
    timeout: float,
) -> int:
    """Answers over HTTP as TensorFlow Serving's REST interface does, until Ctrl-C or SIGTERM."""
    _leave_processors_to_the_model()
    settings = serving.Settings(
        host=host,
        port=port,
        name=name,
        labels=dict(label),
        limits=serving.Limits(max_body, max_pixels, max_images, max_queue, timeout),
        batching=serving.Batching(max_batch, batch_delay / 1e3, workers),
        poll=poll,
        token_file=token_file,
        access_log=access_log,
    )
    try:
        from ctcov_tf.serving import server
    except ModuleNotFoundError as error:
        raise errors.CtcovError(f"{error.name}: not installed: install it with pip install 'ctcov[serve]'") from error

    return server.serve(model, settings)


def ablate(
    preset: str,
    out: pathlib.Path,
    dataset: str | None,
    data_dir: str | None,
    part1: str | None,
    part2: str | None,
    epochs: int | None,
    image_size: int | None,
    seed: int | None,
    parts: Sequence[Any],
) -> int:
    """Trains a fusion without its frozen parts, with either and with both, and compares them in one table.

    Whatever is finished in OUT is not done again, so that an interrupted ablation goes on with the same command.
    """
    tensorflow_log.load_quietly()
    from ctcov_tf import ablation
    from ctcov_tf.evaluation import comparison_page

    config = ablation.settings(
        preset,
        data={"dataset": dataset, "data_dir": data_dir},
        preprocess={"image_size": image_size},
        model={"part1": part1, "part2": part2},
        train={"epochs": epochs, "seed": seed},
    )
    print(comparison_page.as_text(ablation.ablate(preset, config, out, parts=parts)))
    print(f"page: {out / 'ablation.md'}")
    return 0


def import_torchxrayvision(file: pathlib.Path, run_dir: pathlib.Path, findings: Sequence[str], positive: str) -> int:
    """Makes a run directory, part 1 of Deep-CXR-Net, from weights that TorchXRayVision trained."""
    tensorflow_log.load_quietly()
    from ctcov_tf.training import import_command

    run = import_command.import_weights(file, run_dir, tuple(findings), positive)
    size = run.config.preprocess.image_size
    print(f"run directory {run.path}: {', '.join(run.labels.outputs)}")
    print(f"next: train part 2 and the fusion with --image-size {size} --no-equalise --no-blur --no-standardise")
    print(RESEARCH_USE)
    return 0


def _leave_processors_to_the_model() -> None:
    """Keeps numpy, not yet imported, from starting a thread a processor for products of matrices: none are asked for.

    These threads wait in a busy loop, beside the imports and the model's own threads.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Parser(argparse.ArgumentParser):
    """A parser that complains as all of `ctcov` does: in one line, with the remedy."""

    def error(self, message: str) -> NoReturn:
        """Refuses the command line.

        Raises:
          CtcovError: always.
        """
        raise errors.CtcovError(f"{self.prog}: {message}: see {self.prog} --help")


def parser() -> Parser:
    """The parser of all commands: it gives the arguments of one, and its function as `command`."""
    whole = Parser(
        prog="ctcov",
        description="COVID-19 screening of chest CT images and radiographs. ctcov COMMAND --help explains a command.",
        epilog=RESEARCH_USE,
    )
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Callable[..., int]) -> Callable[..., Any]:
        text = command.__doc__ or ""
        added = commands.add_parser(name, help=text.splitlines()[0], description=text)
        added.set_defaults(command=command)
        return added.add_argument

    run: dict[str, Any] = {"type": pathlib.Path, "metavar": "RUN", "help": "run directory that train.py wrote"}
    model = run | {"metavar": "MODEL", "help": "run directory, SavedModel folder or .tflite file"}
    images = {"type": pathlib.Path, "nargs": "+", "metavar": "IMAGE", "help": "image files (PNG, JPEG, BMP)"}
    folder = {"type": pathlib.Path, "metavar": "DIR"}
    default = "(default: %(default)s)"

    argument = add("evaluate", evaluate)
    argument("run", **run)
    argument(
        "--splits",
        nargs="+",
        metavar="PART",
        choices=SPLITS,
        default=SPLITS[1:],
        help="parts to evaluate, of train, validation and test; every reading of test is logged in the run directory "
        "(default: validation test)",
    )

    argument = add("explain", explain)
    argument("run", **run)
    argument("images", **images)
    argument("--out", **folder, default=pathlib.Path("heatmaps"), help=f"folder for the overlays {default}")

    argument = add("predict", predict)
    argument("model", **model)
    argument("images", **images)
    argument("--json", action="store_true", help="one JSON object a line instead of the table")
    argument("--heatmap", **folder, help="folder for heat maps laid over the images")

    argument = add("serve", serve)
    argument("model", **model)
    argument("--host", default="127.0.0.1", help=f"address to listen at; 0.0.0.0 is open to the network {default}")
    argument("--port", type=_port, default=serving.PORT, metavar="N", help=f"port to listen at; 0 takes one {default}")
    argument("--name", help="name of the model in addresses (default: its own)")
    argument(
        "--label",
        action="append",
        type=_label,
        default=[],
        metavar="LABEL=N",
        help="version that /labels/LABEL names; may be repeated (default: stable is the one in service)",
    )
    number = {"type": _number, "metavar": "N"}
    seconds = {"type": _seconds, "metavar": "S"}
    argument("--poll", **seconds, default=1.0, help=f"seconds between two looks for new versions {default}")
    argument(
        "--token-file",
        type=pathlib.Path,
        metavar="FILE",
        help="file with the token that requests must bring (default: the environment's CTCOV_TOKEN, or none)",
    )
    argument("--access-log", action="store_true", help="a line of JSON on stderr for each request, of no content")
    limits, batching = serving.Limits(), serving.Batching()
    argument("--max-batch", **number, default=batching.size, help=f"images that a SavedModel gets at once {default}")
    argument(
        "--batch-delay",
        type=_delay,
        default=1e3 * batching.delay,
        metavar="MS",
        help=f"milliseconds for which an image waits for others, although the model is free {default}",
    )
    argument("--workers", **number, default=batching.workers, help=f"threads that run the model at once {default}")
    argument("--max-body", **number, default=limits.body, help=f"bytes of a request {default}")
    argument("--max-pixels", **number, default=limits.pixels, help=f"pixels of an image {default}")
    argument("--max-images", **number, default=limits.images, help=f"images of a request {default}")
    argument("--max-queue", **number, default=limits.queue, help=f"images that wait, of all requests {default}")
    argument("--timeout", **seconds, default=limits.seconds, help=f"seconds until a request is answered {default}")

    argument = add("ablate", ablate)
    argument("preset", metavar="PRESET", help="preset that fuses frozen parts, such as deep_cxr_net")
    argument("--out", **folder, required=True, help="folder for the runs and the comparison (ablation.md, .json, .png)")
    argument("--dataset", metavar="NAME", help="TFDS name of the dataset; this and what follows: else the preset's")
    argument("--data-dir", metavar="DIR", help="where tfds build --data_dir put it")
    argument("--part1", metavar="RUN", help="run directory of part 1")
    argument("--part2", metavar="RUN", help="run directory of part 2")
    argument("--epochs", type=int, metavar="N", help="passes over the training images")
    argument("--image-size", type=int, metavar="N", help="side of the square image that the networks see, pixels")
    argument("--seed", type=int, metavar="N", help="seed of weights, order and augmentation")
    argument(
        "--parts",
        nargs="+",
        metavar="ARM",
        choices=ARMS,
        default=ARMS,
        help="arms, of none, part1, part2 and both; the first is the one that the others are held against "
        "(default: all four)",
    )

    argument = add("import-torchxrayvision", import_torchxrayvision)
    argument("file", type=pathlib.Path, metavar="FILE", help="state dict of a TorchXRayVision DenseNet, by PyTorch")
    argument("--run-dir", **folder, required=True, help="folder to make for the run")
    argument(
        "--findings",
        nargs="+",
        metavar="FINDING",
        default=FINDINGS,
        help="what the network answers, of what the weights were trained to find (default: " + " ".join(FINDINGS) + ")",
    )
    argument(
        "--positive",
        metavar="FINDING",
        default="pneumonia",
        help=f"the finding that binary metrics call positive {default}",
    )
    return whole


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0")
    return seconds


def _delay(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def _label(text: str) -> tuple[str, int]:
    label, _, version = text.partition("=")
    if not re.fullmatch(r"[\w.-]+", label) or not version.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no label and version, such as stable=2")
    return label, int(version)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port number")
    return int(text)


@errors.exit_cleanly
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script.

    Args:
      arguments: command line without the program's name; that of the process if None.

    Returns:
      The command's exit code.
    """
    given = vars(parser().parse_args(arguments))
    return given.pop("command")(**given)
