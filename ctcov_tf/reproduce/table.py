"""A table of the paper beside ours: what `table.json` holds, and how it reads as text and in Markdown."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.evaluation import across_seeds, tables
from ctcov_tf.evaluation.across_seeds import Scores
from ctcov_tf.evaluation.comparison import on_difference
from ctcov_tf.evaluation.predictions import predict_split
from ctcov_tf.evaluation.report import METRIC_TITLES
from ctcov_tf.evaluation.summary import known
from ctcov_tf.reproduce import cells, comparability
from ctcov_tf.reproduce.arms import Arm
from ctcov_tf.reproduce.judging import SPLIT, Judging
from ctcov_tf.reproduce.paper_tables import METRICS, Table
from ctcov_tf.reproduce.settings import Settings
from ctcov_tf.run_directory import RunDirectory
from ctcov_tf.statistics import bootstrap

FORMAT = 1
METADATA_ONLY = "size, mode and file format alone, no pixel"

STATISTICS = (
    "Here: mean over seeds ± standard deviation over seeds, each seed at the threshold that its validation part chose. "
    "Brackets: 95 % interval of that mean over patients (bootstrap over groups, {replicates} replicates, the same for "
    "all methods). Difference: of the mean AUC to {reference}, with its interval over patients and seeds. P values: "
    "DeLong's test of the AUCs and McNemar's exact test of the decisions, against {reference}, of the probabilities "
    "averaged over seeds, corrected for the number of methods (Holm). Both count images as independent: where a "
    "patient has several, they are too small, and the interval leads."
)


def scores_of(runs: Sequence[RunDirectory], judging: Judging) -> Scores:
    """What the seeds of a method say of the judged images, as their evaluations have kept it.

    Args:
      runs: judged runs of one method, one a seed.
      judging: how they were judged.
    """
    return across_seeds.scores(
        [judging.predictions(run) for run in runs],
        [judging.metrics(run)["splits"][SPLIT]["threshold"] for run in runs],
        [known(predict_split(run, "validation")) for run in runs],
    )


def build(
    settings: Settings,
    paper: Table | None,
    arms: Sequence[Arm],
    runs: Mapping[str, Sequence[RunDirectory]],
    scores: Mapping[str, Scores],
    judging: Judging,
    failed: Mapping[str, str],
) -> dict[str, Any]:
    """What `table.json` holds.

    Args:
      settings: of the folder.
      paper: the paper's table; None for the ablation.
      arms: the rows, ours first.
      runs: judged runs of each arm by its name; an arm whose trainings all failed has none.
      scores: what they say, by the same names.
      judging: how they were judged.
      failed: what went wrong, by the name of the run's folder.

    Raises:
      CtcovError: no training of the first arm was judged.
    """
    reference = arms[0]
    if not runs.get(reference.name):
        raise errors.CtcovError(
            f"{reference.title}: no training of it was judged, and all others are held against it: "
            f"{next(iter(failed.values()), 'train it')}"
        )
    metrics = judging.metrics(runs[reference.name][0])
    found = across_seeds.summarise(scores, reference.name)
    part = metrics["splits"][SPLIT]
    alone = metrics["metadata_only"].get(SPLIT)
    content = {
        "format": FORMAT,
        "table": settings.table,
        "title": title(settings, paper, reference),
        "trained_on": runs[reference.name][0].manifest["name"],
        "judged_on": metrics["dataset"],
        "synthetic": metrics["synthetic"],
        "positive": metrics["positive"],
        **{name: part[name] for name in ("images", "groups", "positives")},
        "settings": dataclasses.asdict(settings),
        "bootstrap": {"unit": "group", "replicates": bootstrap.REPLICATES, "level": bootstrap.LEVEL},
        "reference": reference.name,
        "rows": [_row(arm, settings, paper, runs.get(arm.name, ()), found.get(arm.name)) for arm in arms],
        "metadata_only": alone and {name: alone["metrics"][name] for name in METRICS},
        "failed": dict(failed),
        "warnings": metrics["warnings"],
        "notes": list(paper.notes) if paper else [],
        "notice": RESEARCH_USE,
    }
    return content | {"remarks": _remarks(content)}


def title(settings: Settings, paper: Table | None, reference: Arm) -> str:
    """The heading of the table."""
    if paper is None:
        return f"Ablation of {reference.title.removesuffix(', whole')}"
    if not comparability.is_of_its_dataset(paper, settings.protocol):
        return f"The methods of Table {paper.number}, on {settings.protocol.judging.dataset}"
    return f"Table {paper.number}: {paper.caption}"


def results(content: dict[str, Any]) -> list[list[str]]:
    """Heading and rows of what was measured here.

    Args:
      content: what `build` gave.
    """
    names = [METRIC_TITLES[name] for name in METRICS]
    rows = [["", *names, "difference of AUC", "DeLong p", "McNemar p", "seeds", "training"]]
    for row in content["rows"]:
        found = row["found"]
        if found is None:
            rows.append([row["title"], *[tables.DASH] * (len(rows[0]) - 3), "0", "failed"])
            continue
        rows.append(
            [
                row["title"],
                *(tables.mean(found["metrics"][name]) for name in METRICS),
                tables.number(found["auc_difference"], "+.3f") if found["auc_difference"] else tables.DASH,
                *(tables.p_value(found["tests"], test) for test in ("delong", "mcnemar")),
                str(found["seeds"]),
                tables.duration(row["seconds"]),
            ]
        )
    if alone := content["metadata_only"]:
        rows.append([METADATA_ONLY, *(tables.number(alone[name]) for name in METRICS), *[tables.DASH] * 5])
    return rows


def beside_the_paper(content: dict[str, Any]) -> list[list[str]]:
    """Heading and rows of three columns: the paper's figures, ours with intervals, and why they can be compared or not.

    Args:
      content: what `build` gave, of a table of the paper.
    """
    rows = [["", "the paper", "here", "can they be compared?"]]
    for row in content["rows"]:
        paper, found = row["paper"], row["found"]
        titles = {name: METRIC_TITLES[name] for name in METRICS if name in (paper or METRICS)}
        given = ", ".join(f"{text} {paper[name]:.3f}" for name, text in titles.items()) if paper else tables.DASH
        here = "failed"
        if found:
            here = ", ".join(f"{text} {tables.mean(found['metrics'][name])}" for name, text in titles.items())
        judged = row["comparability"]
        rows.append([row["title"], given, here, "; ".join([judged["verdict"], *judged["reasons"]])])
    return rows


def as_text(content: dict[str, Any]) -> str:
    """The results for the terminal, one column a method.

    Args:
      content: what `build` gave.
    """
    return "\n".join(
        [
            *(f"WARNING: {warning}" for warning in content["warnings"]),
            f"{content['title']} ({subject(content)})",
            "",
            tables.aligned(list(zip(*results(content), strict=True))),
            "",
            *(f"- {remark}" for remark in content["remarks"]),
            RESEARCH_USE,
        ]
    )


def as_markdown(content: dict[str, Any], picture: str) -> str:
    """A page: notice, warnings, results, the paper beside them, ROC curves, remarks and notes.

    Args:
      content: what `build` gave.
      picture: file name of the ROC curves, beside the page.
    """
    paper = []
    if any(row["comparability"] for row in content["rows"]):
        paper = ["## Beside the paper", "", tables.markdown(beside_the_paper(content)), ""]
    return "\n".join(
        [
            f"# {content['title']}",
            "",
            f"**{RESEARCH_USE}**",
            "",
            *(line for warning in content["warnings"] for line in (f"> **Warning.** {warning}", "")),
            f"{subject(content)}. {settings_of(content)}.",
            "",
            tables.markdown(results(content)),
            "",
            statistics_of(content),
            "",
            *paper,
            f"![ROC curves of all methods]({picture})",
            "",
            *(f"- {remark}" for remark in [*content["remarks"], *content["notes"]]),
            "",
        ]
    )


def subject(content: dict[str, Any]) -> str:
    """Which images judge which models."""
    trained = "" if content["trained_on"] == content["judged_on"] else f"trained on {content['trained_on']}, "
    return (
        f"{trained}judged on {content['judged_on']}, positive {content['positive']}, {SPLIT} part: "
        f"{content['images']} images of {content['groups']} groups, {content['positives']} positive"
    )


def settings_of(content: dict[str, Any]) -> str:
    """What all methods had in common."""
    protocol, budget = content["settings"]["protocol"], content["settings"]["budget"]
    weights = "random weights" if protocol["weights"] == "none" else "ImageNet weights"
    chosen = f", chosen for a budget of {budget:g} minutes in all" if budget is not None else ""
    return f"All methods: {weights}, {protocol['image_size']} px, {protocol['epochs']} epochs{chosen}"


def statistics_of(content: dict[str, Any]) -> str:
    """How the numbers came about."""
    reference = content["rows"][0]["title"]
    return STATISTICS.format(replicates=content["bootstrap"]["replicates"], reference=reference)


def _row(
    arm: Arm,
    settings: Settings,
    paper: Table | None,
    runs: Sequence[RunDirectory],
    found: dict[str, Any] | None,
) -> dict[str, Any]:
    given = paper.row(arm.name) if paper else None
    taken = [value for run in runs if (value := cells.seconds(run.path)) is not None]
    return {
        "name": arm.name,
        "title": arm.title,
        "preset": arm.preset,
        "paper": given.figures if given else None,
        "found": found,
        "comparability": dataclasses.asdict(comparability.of(arm, paper, settings.protocol)) if paper else None,
        "seconds": float(np.mean(taken)) if taken else None,
    }


def _remarks(content: dict[str, Any]) -> list[str]:
    rows = content["rows"]
    reference = rows[0]
    found = []
    if content["synthetic"]:
        found.append("The images are synthetic: nothing here says how the models do on patients.")
    found += [on_difference(row["title"], row["found"], reference["title"]) for row in rows[1:] if row["found"]]
    found += _on_metadata(reference, content["metadata_only"])
    if all(row["found"]["seeds"] == 1 for row in rows if row["found"]):
        found.append("One seed each: the intervals cover the draw of patients and not another seed.")
    found += [f"{folder} failed: {message}" for folder, message in content["failed"].items()]
    return found


def _on_metadata(reference: dict[str, Any], alone: dict[str, Any] | None) -> list[str]:
    """Only where the files tell the class at all, and no worse than ours does."""
    ours = reference["found"]["metrics"]["auc"]["value"]
    theirs, low = (alone["auc"]["value"], alone["auc"]["low"]) if alone else (None, None)
    if ours is None or theirs is None or theirs < ours or low is None or low <= 0.5:
        return []
    return [
        f"A classifier that sees only size, mode and file format reaches AUC {theirs:.3f}, {reference['title']} "
        f"{ours:.3f}: on these images no score shows that disease is being read."
    ]
