"""`ctcov ship`: from a finished, evaluated run to a folder of `weights/`, whole or not at all."""

from collections.abc import Mapping, Sequence
import dataclasses
import datetime
import pathlib
import re
import shutil
from typing import Any

import numpy as np

import ctcov_tf
from ctcov_tf import RESEARCH_USE, errors, files, predictor, shipped
from ctcov_tf.card import write as card_lib
from ctcov_tf.config import Config
from ctcov_tf.edge import runner
from ctcov_tf.export import tflite, verify
from ctcov_tf.images import encode
from ctcov_tf.models import absorbed_norms
from ctcov_tf.run_directory import MODEL_SHA256, RunDirectory
from ctcov_tf.shipping import half_precision, phantoms

FORMS: tuple[tflite.Form, ...] = ("float32", "int8")

ROUNDED = "keras_float16"
"""Form of the verification: the run's network with its kernels rounded, which all shipped forms hold."""

LIMITS = {"model.keras": 20.0, "float32": 50.0, "int8": 15.0}
"""Largest size of a file, MB."""

KEPT = ("calibration.json", "gate.npz", "metrics.json", "history.csv", "test_readings.jsonl")
"""Files of the run that the folder holds too."""

PHANTOMS = 4

TOLERANCE = {"keras": 1e-3, "float32": 1e-3, "int8": 0.05}
"""What an answer to a phantom may differ by, of a probability, elsewhere than where it was recorded."""

USE = """# Use of these weights

{notice}.

The weights in this folder were trained on research images: {trained_on}. The images stand under licences of their own
and are not included; nothing here was cleared for diagnosis, triage or any decision on a person. The figures in
`card/model_card.md` are those of one dataset's test part, and say little of other scanners, hospitals or patients.
The files may be copied and changed for research under the licence of this repository (Apache 2.0), with this notice.
"""


def ship(
    run: RunDirectory,
    out: pathlib.Path,
    *,
    default: bool = False,
    forms: Sequence[tflite.Form] = FORMS,
    limit: int = 200,
) -> shipped.Shipped:
    """Makes the folder of a shipped model.

    Kernels are rounded to half precision once; all forms hold that network. It is held to the run on validation images
    (`verify.BOUNDS`), and the exports to it. The calibration stays the run's own.

    Args:
      run: finished and evaluated, with a card.
      out: the folder to make, named `<name>-<YYYYMMDD>`; must not exist.
      default: whether the model is to answer where none is named, whatever the AUC of others.
      forms: of TFLite files, `float32` among them.
      limit: most validation images to verify on.

    Returns:
      The shipped model.

    Raises:
      CtcovError: the run lacks its threshold, test figures or card, `out` exists or has no such name, answers differ by
        more than a bound, or a file is larger than its limit.
    """
    date = _date(out)
    figures = _figures(run)
    with files.atomic_path(out) as folder:
        folder.mkdir()
        made = _with_rounded_network(run, folder)
        rounding = _compare(run, {ROUNDED: folder}, limit)
        info = made.model_info()
        exports = tflite.export_tflite(made, folder, forms, date)
        verified = _compare(made, exports, limit)
        record = folder / "verify.json"
        files.write_json(record, verified | {"rounding": rounding["forms"][ROUNDED]})
        card_lib.write(dataclasses.replace(made, config=_without_paths(run.config)), made.cards, record)
        for path in exports.values():
            runner.append_card(path, made.cards / runner.CARD)
        files.write_text(folder / runner.RECORD, info.to_json())
        files.write_text(folder / "USE.md", USE.format(notice=RESEARCH_USE, trained_on=info.trained_on))
        answers = _answer_phantoms(made, exports, folder)
        _check_sizes(made, exports)
        files.write_json(
            folder / shipped.MANIFEST,
            {
                "format": shipped.FORMAT,
                "name": out.name,
                "preset": run.preset,
                "modality": info.modality,
                "trained_on": info.trained_on,
                "positive": info.labels.positive,
                "date": str(date),
                "default": default,
                "written_by": f"ctcov {ctcov_tf.__version__}",
                "figures": figures,
                "rounding": {name: rounding["forms"][ROUNDED][name] for name in ("score_difference", "auc_change")}
                | {"flipped": len(rounding["forms"][ROUNDED]["flipped"]), "images": rounding["images"]},
                "tflite": {form: path.name for form, path in exports.items()},
                "phantoms": answers,
                "tolerance": TOLERANCE,
                "files": _hashes(folder),
                "notice": RESEARCH_USE,
            },
        )
    return shipped.read(out)


def table(model: shipped.Shipped) -> str:
    """What was shipped, as text for the terminal."""
    rounding = model.content["rounding"]
    lines = [f"{one['bytes'] / 1e6:8.2f} MB  {model.path / name}" for name, one in model.content["files"].items()]
    return "\n".join(
        [
            *lines,
            f"{model.megabytes:8.2f} MB in all",
            f"rounding to half precision, on {rounding['images']} validation images: largest score difference "
            f"{rounding['score_difference']:.1e}, {rounding['flipped']} decisions flip",
            model.sentence(),
        ]
    )


def _date(out: pathlib.Path) -> int:
    if out.exists():
        raise errors.CtcovError(f"{out}: exists: choose another --out, or remove it")
    found = re.fullmatch(r"[\w.]+-(\d{8})", out.name)
    try:
        datetime.datetime.strptime(found[1] if found else "", "%Y%m%d")
    except ValueError as error:
        today = datetime.date.today()
        raise errors.CtcovError(f"{out}: no name with a date: choose one such as NAME-{today:%Y%m%d}") from error
    assert found
    return int(found[1])


def _figures(run: RunDirectory) -> dict[str, Any]:
    """What the evaluation says, for the manifest; refuses a run that is not ready."""
    run.model_info()  # has a threshold
    metrics = run.read_json(run.metrics_file, f"ctcov evaluate {run.path}")
    test, validation = (metrics["splits"].get(split) for split in ("test", "validation"))
    if not test or not validation or test["metrics"]["auc"]["value"] is None:
        raise errors.CtcovError(f"{run.metrics_file}: no figures of the test part: ctcov evaluate {run.path}")
    if metrics["threshold"].get(MODEL_SHA256, files.sha256(run.model_file)) != files.sha256(run.model_file):
        raise errors.CtcovError(f"{run.metrics_file}: of another model.keras: ctcov evaluate {run.path}")
    if run.read_model_card() is None:
        raise errors.CtcovError(f"{run.cards}: no model card: ctcov card {run.path}")
    facts = metrics["metadata_only"].get("test")
    same_source = metrics["same_source"].get("test")
    return {
        "split": "test",
        "images": test["images"],
        "groups": test["groups"],
        "auc": test["metrics"]["auc"],
        "file_facts_auc": facts["metrics"]["auc"] if facts else None,
        "same_source_auc": same_source["metrics"]["auc"] if same_source and "metrics" in same_source else None,
        "validation_auc": validation["metrics"]["auc"]["value"],
    }


def _with_rounded_network(run: RunDirectory, folder: pathlib.Path) -> RunDirectory:
    """Makes a run directory of the run's network in half precision, without paths of this machine.

    The run returned still knows where its data are.
    """
    origin = run.started_from and run.started_from | {"run": _basename(run.started_from["run"])}
    made = dataclasses.replace(run, path=folder, started_from=origin)
    dataclasses.replace(made, config=_without_paths(run.config)).save()
    network = run.load_model()
    absorbed_norms.absorb(network)
    half_precision.save(network, made.model_file)
    for name in KEPT:
        if (run.path / name).is_file():
            shutil.copy(run.path / name, folder / name)
    calibration = run.read_json(run.calibration_file, "")
    files.write_json(made.calibration_file, calibration | {MODEL_SHA256: files.sha256(made.model_file)})
    return made


def _without_paths(config: Config) -> Config:
    """The configuration without places on this machine: data where TFDS keeps them, runs and files by their names."""
    paths: dict[str, Any] = {
        name: _basename(value) for name in ("weights", "part1", "part2") if (value := getattr(config.model, name, ""))
    }
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, data_dir=None),
        model=dataclasses.replace(config.model, **paths),
        train=dataclasses.replace(
            config.train,
            init_from=config.train.init_from and _basename(config.train.init_from),
            teachers=tuple(map(_basename, config.train.teachers)),
        ),
    )


def _basename(path: str) -> str:
    return pathlib.PurePath(path).name


def _compare(run: RunDirectory, forms: Mapping[str, pathlib.Path], limit: int) -> dict[str, Any]:
    """The record of the forms beside the run, with the names of files alone; refuses one above its bound."""
    found = verify.compare(run, forms, limit=limit)
    if faults := verify.faults(found):
        raise errors.CtcovError(
            f"{run.path.name}: in a shipped form it does not answer as it did ({'; '.join(faults)}): --no-int8 "
            "leaves that form out, else ship another run"
        )
    for row in found["forms"].values():
        row["file"] = _basename(row["file"])
    return found


def _answer_phantoms(
    run: RunDirectory, forms: Mapping[str, pathlib.Path], folder: pathlib.Path
) -> list[dict[str, Any]]:
    """Writes the drawings that the input gate finds least strange, and records what each form says of them."""
    models: dict[str, predictor.Predictor] = {"keras": predictor.RunPredictor(run.path)}
    models |= {form: predictor.EdgePredictor(path) for form, path in forms.items()}
    drawn = [encode.png(picture) for picture in phantoms.draw(run.model_info().modality)]
    scores = [models["keras"].predict(data, "phantom").ood_score or 0.0 for data in drawn]
    found = []
    for number, index in enumerate(np.argsort(scores, kind="stable")[:PHANTOMS]):
        name = f"phantom{number}.png"
        (folder / name).write_bytes(drawn[index])
        answers = {form: model.predict(drawn[index], name) for form, model in models.items()}
        found.append(
            {
                "file": name,
                "answers": {
                    form: {"probability": one.probability, "ood_score": one.ood_score} for form, one in answers.items()
                },
            }
        )
    return found


def _check_sizes(run: RunDirectory, forms: Mapping[str, pathlib.Path]) -> None:
    for form, path in {"model.keras": run.model_file, **forms}.items():
        if (size := path.stat().st_size / 1e6) > LIMITS[form]:
            raise errors.CtcovError(
                f"{path.name}: {size:.1f} MB, a shipped one has at most {LIMITS[form]:.0f} MB: ship a smaller network"
            )


def _hashes(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {"sha256": files.sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
