"""Finished runs of one dataset side by side: one table, with paired differences to a reference."""

from typing import Any

import numpy.typing as npt
import pandas as pd

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.evaluation import sources
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.evaluation.summary import auc_difference, known
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import delong, mcnemar, several

FORMAT = 1
SPLIT = "test"


def compare(
    runs: dict[str, RunDirectory], reference: str | None = None, seconds: dict[str, float] | None = None
) -> dict[str, Any]:
    """Compares runs by what their evaluations found on the test part.

    It works on the probabilities that the evaluations have kept, and is no further reading of the test part.

    Args:
      runs: evaluated runs of one dataset and one positive class, by the name of their row.
      reference: name of the run that the others are held against; the first if not given.
      seconds: time that the training of each took, where it is known.

    Returns:
      `arms`: for each run `run` (its folder's name), `preset`, `parts` (hashes of the frozen ones), `images`,
      `groups`, `positives`, `threshold`, `metrics`, `same_source` (its `sources`, `images`, `positives` and
      `metrics`, or None), `auc_difference` and `same_source_auc_difference` to the reference (`value`, `low`, `high`
      over the same resamplings of groups; None for the reference), `tests` against the reference, which count images as
      independent (what `tests` gives, corrected for several; None for the reference), `validation_auc`, `seconds` and
      `test_readings`. Beside it `dataset`, `positive`, `synthetic`, `split`, `reference`, `bootstrap`, `warnings` and
      `remarks`.

    Raises:
      CtcovError: there is no run, one has no evaluation of the test part, or they were judged on other images.
    """
    if not runs:
        raise errors.CtcovError("comparison: no run named: name the run directories to compare")
    found = {name: _read_metrics(run) for name, run in runs.items()}
    _check_comparable(runs)
    reference = reference or next(iter(runs))
    rows = {name: known(predict_split(run, SPLIT)) for name, run in runs.items()}
    of_reference = rows[reference]
    arms = {}
    for name, metrics in found.items():
        part, same = metrics["splits"][SPLIT], metrics["same_source"].get(SPLIT)
        other = name != reference
        validation = metrics["splits"].get("validation")
        arms[name] = {
            "run": runs[name].path.name,
            "preset": runs[name].preset,
            "parts": {one.name: one.sha256 for one in runs[name].parts},
            **{key: part[key] for key in ("images", "groups", "positives", "threshold", "metrics")},
            "same_source": same and {key: same[key] for key in ("sources", "images", "positives", "metrics")},
            "auc_difference": auc_difference(rows[name], of_reference) if other else None,
            "tests": tests(
                rows[name]["target"],
                rows[name]["probability"].to_numpy(),
                part["threshold"],
                of_reference["probability"].to_numpy(),
                found[reference]["splits"][SPLIT]["threshold"],
            )
            if other
            else None,
            "same_source_auc_difference": _same_source_difference(rows[name], of_reference) if same and other else None,
            "validation_auc": validation["metrics"]["auc"] if validation else None,
            "seconds": (seconds or {}).get(name),
            "test_readings": metrics["test_readings"],
        }
    correct_for_several(arms)
    first = found[reference]
    comparison = {
        "format": FORMAT,
        "dataset": first["dataset"],
        "positive": first["positive"],
        "synthetic": first["synthetic"],
        "split": SPLIT,
        "reference": reference,
        "bootstrap": first["bootstrap"],
        "arms": arms,
        "warnings": first["warnings"],
        "notice": RESEARCH_USE,
    }
    return comparison | {"remarks": _remarks(comparison)}


def _read_metrics(run: RunDirectory) -> dict[str, Any]:
    remedy = f"ctcov evaluate {run.path}"
    metrics = run.read_json(run.metrics_file, remedy)
    if SPLIT not in metrics.get("splits", {}) or "same_source" not in metrics:
        raise errors.CtcovError(f"{run.metrics_file}: holds no such evaluation of the {SPLIT} part: {remedy}")
    return metrics


def _check_comparable(runs: dict[str, RunDirectory]) -> None:
    (first, reference), *others = runs.items()
    for name, run in others:
        for what, ours, theirs in (
            ("other images", run.manifest["sha256"], reference.manifest["sha256"]),
            ("another positive class", run.labels.positive, reference.labels.positive),
        ):
            if ours != theirs:
                raise errors.CtcovError(
                    f"comparison: {name} at {run.path} was judged by {what} than {first}: compare runs of one dataset"
                )


def _same_source_difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, float | None]:
    kept = sources.same_source(ours)
    assert kept is not None  # the evaluation has found it
    return auc_difference(kept, theirs.loc[kept.index])


def tests(
    target: npt.ArrayLike, ours: npt.NDArray, our_cut: float, theirs: npt.NDArray, their_cut: float
) -> dict[str, Any]:
    """Tests of one classifier against another on the same images.

    Args:
      target: (n,), 1 for the positive class, else 0.
      ours: (n,), probabilities of the first.
      our_cut: threshold of its decision.
      theirs: (n,), probabilities of the second.
      their_cut: threshold of its decision.

    Returns:
      `delong`, of the AUCs: `z` and `p_value`, or None where a class has fewer than two images; `mcnemar`, of the
      decisions at each one's own threshold: `only_ours` and `only_theirs` (images that one alone decided right),
      `p_value` (exact) and `mid_p_value`.
    """
    aucs = delong.compare(target, ours, theirs)
    decisions = mcnemar.compare(target, ours >= our_cut, theirs >= their_cut)
    return {
        "delong": aucs and {"z": aucs.z, "p_value": aucs.p_value},
        "mcnemar": {
            "only_ours": decisions.only_first,
            "only_theirs": decisions.only_second,
            "p_value": decisions.p_value,
            "mid_p_value": decisions.mid_p_value,
        },
    }


def correct_for_several(arms: dict[str, dict[str, Any]]) -> None:
    """Adds `p_value_holm`, corrected for the number of arms compared, to the tests of all arms.

    Args:
      arms: each with its `tests`, as `tests` gives them, or None.
    """
    for name in ("delong", "mcnemar"):
        made = [arm["tests"][name] for arm in arms.values() if arm["tests"] and arm["tests"][name]]
        defined = [test for test in made if test["p_value"] is not None]
        corrected = several.holm([test["p_value"] for test in defined])
        for test in made:
            test["p_value_holm"] = None
        for test, p_value in zip(defined, corrected, strict=True):
            test["p_value_holm"] = float(p_value)


def _remarks(comparison: dict[str, Any]) -> list[str]:
    arms, reference = comparison["arms"], comparison["reference"]
    found = []
    if comparison["synthetic"]:
        found.append("The images are synthetic: nothing here says how the models do on patients.")
    found += [on_difference(name, arm, reference) for name, arm in arms.items() if name != reference]
    of_parts: dict[str, set[str]] = {}
    for arm in arms.values():
        for part, sha256 in arm["parts"].items():
            of_parts.setdefault(part, set()).add(sha256)
    found += [
        f"Not all runs hold the same {part}: it was trained again between them, and they can't be compared by it."
        for part, hashes in of_parts.items()
        if len(hashes) > 1
    ]
    if len(arms) > 1:
        found.append(
            "Each row is one training: its interval covers the draw of patients and not another seed, which may change "
            "an AUC as well."
        )
    return found


def on_difference(name: str, arm: dict[str, Any], reference: str) -> str:
    """Whether an AUC can be told from the reference's, in a sentence.

    Args:
      name: of the arm.
      arm: with its `auc_difference`.
      reference: name of the reference.
    """
    difference = arm["auc_difference"]
    if difference["low"] is None:
        return f"{name}: the difference of its AUC to {reference} is undefined."
    gap = f"{difference['value']:+.3f}, 95 % interval {difference['low']:+.3f} to {difference['high']:+.3f}"
    if difference["low"] > 0:
        return f"{name}: the AUC is higher than that of {reference} ({gap})."
    if difference["high"] < 0:
        return f"{name}: the AUC is lower than that of {reference} ({gap})."
    return f"{name}: the AUC can't be told from that of {reference} ({gap})."
