"""`ctcov <command>`: parses and dispatches; each command's own module does the work."""

import pathlib
from typing import Annotated, Literal

import tyro

from ctcov_tf import RESEARCH_USE, errors, tensorflow_log
from ctcov_tf.config import FINDINGS

app = tyro.extras.SubcommandApp()

Run = Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
Model = Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
Preset = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PRESET")]
Images = Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE...")]


@app.command
def evaluate(run: Run, /, splits: tuple[Literal["train", "validation", "test"], ...] = ("validation", "test")) -> int:
    """Metrics with intervals, figures and report of a run.

    Args:
        run: Run directory that train.py wrote.
        splits: Parts to evaluate; every reading of test is logged in the run directory.
    """
    from ctcov_tf import run_directory

    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import protocols

    print(protocols.table(protocols.evaluate(loaded, splits, reason="ctcov evaluate")))
    print(f"report: {loaded.report_file}\n{RESEARCH_USE}")
    return 0


@app.command
def explain(run: Run, images: Images, /, out: pathlib.Path = pathlib.Path("heatmaps")) -> int:
    """Grad-CAM heat maps of images, laid over them.

    Args:
        run: Run directory that train.py wrote.
        images: Image files (PNG, JPEG, BMP).
        out: Folder for the overlays.
    """
    from ctcov_tf import run_directory

    _check_named(images)
    loaded = run_directory.load(run)
    tensorflow_log.load_quietly()
    from ctcov_tf.evaluation import examples

    for record in examples.explain_images(loaded, images, out):
        print(f"{record['probability']:.3f}  {record['overlay']}")
    print(RESEARCH_USE)
    return 0


@app.command
def predict(model: Model, images: Images, /, json: bool = False, heatmap: pathlib.Path | None = None) -> int:
    """Probability and decision for image files.

    Args:
        model: Run directory, SavedModel folder or .tflite file.
        images: Image files (PNG, JPEG, BMP).
        json: One JSON object a line instead of the table.
        heatmap: Folder for heat maps laid over the images.
    """
    from ctcov_tf import predict as predict_lib

    _check_named(images)
    if model.is_dir():
        tensorflow_log.load_quietly()
    return predict_lib.predict_command(model, images, as_json=json, heatmap=heatmap)


@app.command
def ablate(
    preset: Preset,
    /,
    out: pathlib.Path,
    dataset: str | None = None,
    data_dir: str | None = None,
    part1: str | None = None,
    part2: str | None = None,
    epochs: int | None = None,
    image_size: int | None = None,
    seed: int | None = None,
    parts: tuple[Literal["none", "part1", "part2", "both"], ...] = ("none", "part1", "part2", "both"),
) -> int:
    """Trains a fusion without its frozen parts, with either and with both, and compares them in one table.

    Whatever is finished in OUT is not done again, so that an interrupted ablation goes on with the same command.

    Args:
        preset: A preset that fuses frozen parts, such as deep_cxr_net; what is not given is its value.
        out: Folder for the runs and the comparison (ablation.md, ablation.json, ablation.png).
        dataset: TFDS name of the dataset.
        data_dir: Where tfds build --data_dir put it.
        part1: Run directory of part 1.
        part2: Run directory of part 2.
        epochs: Passes over the training images.
        image_size: Side of the square image that the networks see, pixels.
        seed: Seed of weights, order and augmentation.
        parts: Arms; the first is the one that the others are held against.
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


@app.command(name="import-torchxrayvision")
def import_torchxrayvision(
    file: Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    /,
    run_dir: pathlib.Path,
    findings: tuple[str, ...] = FINDINGS,
    positive: str = "pneumonia",
) -> int:
    """Makes a run directory, part 1 of Deep-CXR-Net, from weights that TorchXRayVision trained.

    Args:
        file: State dict of a TorchXRayVision DenseNet, saved by PyTorch.
        run_dir: Folder to make for the run.
        findings: What the network answers, of what the weights were trained to find.
        positive: The finding that binary metrics call positive.
    """
    tensorflow_log.load_quietly()
    from ctcov_tf.training import import_command

    run = import_command.import_weights(file, run_dir, findings, positive)
    size = run.config.preprocess.image_size
    print(f"run directory {run.path}: {', '.join(run.labels.outputs)}")
    print(f"next: train part 2 and the fusion with --image-size {size} --no-equalise --no-blur --no-standardise")
    print(RESEARCH_USE)
    return 0


def _check_named(images: tuple[pathlib.Path, ...]) -> None:
    if not images:
        raise errors.CtcovError("no image named: add one or more image files to the command")


@errors.exit_cleanly
def main() -> int | None:
    """Entry point of the console script."""
    return app.cli(prog="ctcov", description=f"COVID-19 screening of chest CT images and radiographs. {RESEARCH_USE}")
