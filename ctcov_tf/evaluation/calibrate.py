"""What is fitted after training: temperature, threshold, operating points, prediction sets, studies and input gate.

All of it comes from validation images, the gate's distances from training images; no test part is read.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf import files, modality
from ctcov_tf.calibration import conformal, gate, operating_points, study_rule, temperature
from ctcov_tf.calibration.operating_points import Costs
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import gate_features, tables
from ctcov_tf.evaluation.predictions import logits_of, predict_split, with_temperature
from ctcov_tf.evaluation.summary import known
from ctcov_tf.model_info import GATE_LEVEL, Conformal, GateInfo, Labels
from ctcov_tf.run_directory import MODEL_SHA256, RunDirectory

SPLIT = "validation"


def calibrate(
    run: RunDirectory,
    *,
    costs: Costs | None = None,
    coverage: float = conformal.COVERAGE,
    model: keras.Model | None = None,
) -> dict[str, Any]:
    """Fits all that travels with the model, and writes `gate.npz` and `calibration.json`.

    Args:
      run: a run whose `model.keras` is there.
      costs: of errors, for the operating point `costs`; without them there is none.
      coverage: of prediction sets, in (0, 1).
      model: the network of `model.keras`, where it is loaded already.

    Returns:
      What `calibration.json` holds: `threshold`, `threshold_rule`, `split` and `images`, as `choose_threshold` gives
      them; `temperature`; `operating_points`; `conformal`, `study` and `gate`, as in `ModelInfo`, None where there are
      no images to fit them to; `model_sha256`, of the `model.keras` that they belong to.

    Raises:
      CtcovError: model or dataset is missing, or the network's outputs are not finite.
    """
    model = model or run.load_model()
    predictions = predict_split(run, SPLIT, model)
    found_temperature = _fit_temperature(run, predictions)
    judged = known(with_temperature(predictions, run.labels, found_temperature))
    arrays, fitted_gate = _fit_gate(run, model)
    sets = _fit_sets(judged, run.labels, coverage)
    studies = study_rule.choose_study_rule(judged, SPLIT)
    calibration = {
        **operating_points.choose_threshold(judged, SPLIT),
        "temperature": found_temperature,
        "operating_points": operating_points.choose(judged, costs, SPLIT),
        "conformal": dataclasses.asdict(sets) if sets else None,
        "study": dataclasses.asdict(studies) if studies else None,
        "gate": None,
        MODEL_SHA256: files.sha256(run.model_file),
    }
    if arrays and fitted_gate:
        fitted_gate = dataclasses.replace(fitted_gate, sha256=arrays.save(run.gate_file))
        calibration["gate"] = dataclasses.asdict(fitted_gate)
    files.write_json(run.calibration_file, calibration)
    return calibration


def _fit_temperature(run: RunDirectory, predictions: pd.DataFrame) -> float:
    targets = contents.targets(run.config.data, run.labels, predictions)
    return temperature.fit(logits_of(predictions, run.labels), targets, exclusive=run.labels.exclusive)


def _fit_sets(predictions: pd.DataFrame, labels: Labels, coverage: float) -> Conformal | None:
    if not len(predictions):
        return None
    outputs = [predictions[f"p_{name}"].to_numpy() for name in labels.outputs]
    return conformal.calibrate(
        np.column_stack(labels.set_probabilities(outputs)),
        _set_truth(predictions, labels),
        predictions["group_id"].to_numpy(),
        labels.set_classes,
        coverage,
    )


def _set_truth(predictions: pd.DataFrame, labels: Labels) -> npt.NDArray:
    """Index of each image's class among `Labels.set_classes`."""
    return (predictions["label"] if labels.exclusive else 1 - predictions["target"]).to_numpy(int)


def _fit_gate(run: RunDirectory, model: keras.Model) -> tuple[gate.Gate | None, GateInfo | None]:
    train, validation = (gate_features.of_split(run, split, model) for split in ("train", SPLIT))
    fitted = gate.fit(train, validation)
    if fitted is None:
        return None, None
    modality_known = modality.of_dataset(run.manifest["name"])
    what = modality.ONE[modality_known] if modality_known else "an image"
    return fitted, GateInfo(
        reason=f"not {what} as this model knows them",
        level=GATE_LEVEL,
        fitted_to=len(next(iter(train.values()))),
        validation=len(next(iter(validation.values()))),
        limit=1.0,
        measures={name: measure.whitening.shape[1] for name, measure in fitted.measures.items()},
        sha256="",
    )


def table(calibration: dict[str, Any]) -> str:
    """What `calibrate` returned, as text for the terminal."""
    lines = [
        f"threshold {calibration['threshold']:.3f} ({calibration['threshold_rule']})",
        f"temperature {calibration['temperature']:.3f}",
        "",
    ]
    rows = [["operating point", "threshold", "sensitivity", "specificity"]]
    for point in calibration["operating_points"]:
        reached = (tables.number(point[name]) for name in ("sensitivity", "specificity"))
        rows.append([point["name"], f"{point['threshold']:.3f}", *reached])
    lines.append(tables.aligned(rows))
    lines += [f"on {calibration['images']} images of {calibration['split']}; brackets: 95 % interval over groups", ""]
    if sets := calibration["conformal"]:
        coverage = (f"{name} {tables.number(found)}" for name, found in sets["cross_fitted"].items())
        lines.append(f"prediction sets, coverage {sets['coverage']:.0%}; cross-fitted: {', '.join(coverage)}")
    if gate_info := calibration["gate"]:
        lines.append(
            f"input gate: fitted to {gate_info['fitted_to']} training images, passes {gate_info['level']:.0%} of "
            f"{gate_info['validation']} validation images"
        )
    return "\n".join(lines)
