"""The pages of a card as sections of text and tables, made of facts; templates give them their form."""

import dataclasses
from typing import Any

from ctcov_tf.card import claim, probast, statements, words
from ctcov_tf.card.facts import EVALUATE
from ctcov_tf.card.sheet import Facts, Sheet
from ctcov_tf.card.unknown import Unknown
from ctcov_tf.evaluation import report

Table = list[list[str]]
FACT, VALUE = "fact", "value"
OF_EVALUATION = {
    "source_alone": "Source alone",
    "findings": "Findings",
    "controls": "Controls",
    "subgroups": "Subgroups",
    "calibration": "Calibration",
    "pointing_game": "Pointing game",
    "explanation": "Explanation",
}
"""Keys of metrics.json that become sections, whatever they hold."""
NOT_FITTED = Unknown("calibration.json holds none; calibrate the run with a version of ctcov that fits it")
FIGURES = {
    "Metrics": {"roc": "ROC curves with 95 % band and operating points"},
    "Calibration": {
        "reliability": "Reliability of the probabilities",
        "predictive_values": "Predictive values over the prevalence",
        "decision_curve": "Net benefit over the threshold",
    },
    "Explanation": {
        "explanation_cascade": "Heat maps as the weights become random",
        "explanation_deletion": "Probability as the image is deleted and inserted",
    },
}
"""Figures of the report that a section shows, by the beginning of their names, where they have been drawn."""


@dataclasses.dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
      title: its heading.
      source: files that all of it comes from.
      paragraphs: text above the table.
      table: rows, the first of them the heading; empty where there is none.
      figures: descriptions by file name.
      numeric: whether the table holds numbers, which line up at the right.
    """

    title: str
    source: str
    paragraphs: list[str] = dataclasses.field(default_factory=list)
    table: Table = dataclasses.field(default_factory=list)
    figures: dict[str, str] = dataclasses.field(default_factory=dict)
    numeric: bool = False


@dataclasses.dataclass(frozen=True)
class Document:
    """One page.

    Attributes:
      name: of its files, without suffix.
      title: its heading.
      subtitle: the line below.
      notice: what every page says.
      sections: in order.
    """

    name: str
    title: str
    subtitle: str
    notice: str
    sections: list[Section]


def model_card(facts: Facts) -> Document:
    """The card of the model: what it is for, what it is, how well it does, and what is not known of it.

    Args:
      facts: what `facts.collect` gave.
    """
    run = facts["run"]
    return Document(
        name="model_card",
        title=f"Model card: {run['preset']}",
        subtitle=f"run {run['name']}, trained on {facts['data']['name']}, written by {facts['written_by']}",
        notice=facts["notice"],
        sections=[
            _use(facts),
            Section("Limits", "metrics.json", *_limits(facts)),
            _decision(facts),
            *_performance(facts),
            Section("Readings of the test part", "test_readings.jsonl", [statements.readings(facts)], _readings(facts)),
            _counts(facts),
            Section("Model", "config.json", [], _facts(facts["model"])),
            Section("Settings", "config.json", [], _facts(facts["settings"])),
            Section("Training", "history.csv", *_facts_or_unknown(facts["training"])),
            Section("Exports", "the record of export.py", *_exports(facts), numeric=True),
            Section("Versions", "config.json", [], _facts(facts["versions"])),
            *(_sheet(sheet, facts) for sheet in (claim.SHEET, probast.SHEET)),
            Section("Files", "sha256 of what was read", [], [["file", "sha256"], *map(list, facts["files"].items())]),
        ],
    )


def data_card(facts: Facts) -> Document:
    """The card of the dataset that the run was trained on.

    Args:
      facts: what `facts.collect` gave.
    """
    data = facts["data"]
    told = ("description", "config", "source", "citation", "licence", "known_faults", "groups_disjoint")
    return Document(
        name="data_card",
        title=f"Data card: {data['name']}",
        subtitle=f"as run {facts['run']['name']} has read it, written by {facts['written_by']}",
        notice=facts["notice"],
        sections=[
            _counts(facts),
            Section(
                "The builder's words", "dataset_info.json, metadata.json", [], _facts({key: data[key] for key in told})
            ),
            Section("Left out", "build_report.json", *_left_out(data["left_out"])),
            Section("Partition", "metadata.json, metrics.json", [statements.partition(facts)]),
            _sheet_part(claim.SHEET, facts, range(7, 22)),
        ],
    )


def _use(facts: Facts) -> Section:
    model = facts["model"]
    rows = {
        "notice": facts["notice"],
        "input": model["input"],
        "answer": f"probability of {model['positive']}"
        if model["head"] == "binary"
        else f"probabilities of {', '.join(model['outputs'])}",
        "users and role": Unknown(
            "the author has to supply who may use the model, and for what; it is no medical device"
        ),
        "input gate": _calibrated(facts, "gate"),
    }
    return Section("Intended use", "config.json, calibration.json", [], _facts(rows))


def _calibrated(facts: Facts, key: str) -> Any:
    calibration = facts["calibration"]
    return calibration if isinstance(calibration, Unknown) else calibration.get(key, NOT_FITTED)


def _decision(facts: Facts) -> Section:
    keys = ("threshold", "threshold_rule", "split", "images", "temperature", "operating_points", "conformal")
    rows = {key: _calibrated(facts, key) for key in keys}
    calibration = facts["calibration"]
    if not isinstance(calibration, Unknown):
        rows |= {key: value for key, value in calibration.items() if key not in (*keys, "gate")}
    return Section("Decision", "calibration.json", [], _facts(rows))


def _limits(facts: Facts) -> tuple[list[str], Table]:
    evaluation = facts["evaluation"]
    if isinstance(evaluation, Unknown):
        return [evaluation], []
    rows = [["warning", one] for one in evaluation["warnings"]] + [["remark", one] for one in evaluation["remarks"]]
    return ([], [["", "what the evaluation says"], *rows]) if rows else (["the evaluation has no remark"], [])


def _performance(facts: Facts) -> list[Section]:
    evaluation = facts["evaluation"]
    if isinstance(evaluation, Unknown):
        titles = ("Metrics", *OF_EVALUATION.values())
        return [Section(title, "metrics.json", [EVALUATE]) for title in titles]
    columns = report.columns(evaluation)
    table = [["", *columns]]
    for key in ("images", "groups", "positives", "threshold"):
        table.append([key, *(words.text(column[key]) for column in columns.values())])
    for key, title in report.METRIC_TITLES.items():
        table.append([title, *(words.text(column["metrics"][key]) for column in columns.values())])
    sections = [
        Section(
            "Metrics", "metrics.json", [statements.uncertainty(facts)], table, _figures("Metrics", facts), numeric=True
        )
    ]
    missing = Unknown("metrics.json holds none; run ctcov evaluate again with a version of ctcov that measures it")
    for key, title in OF_EVALUATION.items():
        found = evaluation.get(key, missing)
        if key == "calibration" and not isinstance(found, Unknown):
            found = {split: _without_curves(one) for split, one in found.items()}
        content = _facts_or_unknown(found) if found else (["nothing of that kind applies to this run"], [])
        sections.append(Section(title, "metrics.json", *content, _figures(title, facts)))
    return sections


def _without_curves(calibration: dict[str, Any]) -> dict[str, Any]:
    """The calibration of a part without what its figures show, predictive values at the report's prevalences."""
    points = []
    for point in calibration["operating_points"]:
        values = {
            kind: {
                f"where {prevalence:.0%} are positive": report.predictive_value(point, kind, prevalence)
                for prevalence in report.PREVALENCES
            }
            for kind in ("positive", "negative")
        }
        points.append(point | {"predictive_values": values})
    shown = {name: value for name, value in calibration.items() if name != "decision_curve"}
    for name in ("before", "after"):
        if shown.get(name):
            shown[name] = {key: value for key, value in shown[name].items() if key != "reliability"}
    return shown | {"operating_points": points}


def _figures(title: str, facts: Facts) -> dict[str, str]:
    return {
        name: alt
        for beginning, alt in FIGURES.get(title, {}).items()
        for name in facts["figures"]
        if name == f"{beginning}.png" or name.startswith(f"{beginning}_")
    }


def _readings(facts: Facts) -> Table:
    log = facts["test_readings"]
    return [["time", "reason"], *([one.get("time", ""), one.get("reason", "")] for one in log)] if log else []


def _counts(facts: Facts) -> Section:
    """Images and groups of each part, by class and, where they are recorded, positive ones by finding."""
    data = facts["data"]
    first = next(iter(data["splits"].values()))
    columns = {kind: list(first.get(kind, {})) for kind in ("by_class", "by_finding")}
    rows = [["part", "images", "groups", *columns["by_class"], *columns["by_finding"]]]
    for name, part in data["splits"].items():
        counts = [part[kind][column] for kind, names in columns.items() for column in names]
        rows.append([name, *map(str, (part["images"], part["groups"], *counts))])
    hashed = f"sha256 of parts, images, groups and labels: {data['sha256']}"
    return Section("Data", "config.json", [hashed], rows, numeric=True)


def _exports(facts: Facts) -> tuple[list[str], Table]:
    record = facts["export"]
    if isinstance(record, Unknown):
        return [record], []
    columns = ("megabytes", "latency_ms", "score_difference", "flipped", "auc", "auc_change", "auc_change_interval")
    rows = [["form", *(column.replace("_", " ") for column in columns)]]
    for name, form in record["forms"].items():
        shown = form | {"flipped": len(form["flipped"])}
        rows.append([name, *(words.text(shown.get(column)) for column in columns)])
    return [f"verified on {record['images']} images of {record['split']}"], rows


def _left_out(left: Any) -> tuple[list[str], Table]:
    if isinstance(left, Unknown):
        return [left], []
    if not left:
        return ["no file was left out"], []
    return [], [["file", "reason"], *([one["file"], one["reason"]] for one in left)]


def _facts_or_unknown(found: Any) -> tuple[list[str], Table]:
    return ([found], []) if isinstance(found, Unknown) else ([], _facts(found))


def _facts(found: dict[str, Any]) -> Table:
    return [[FACT, VALUE], *words.rows(found)]


def _sheet(sheet: Sheet, facts: Facts) -> Section:
    answered = sheet.answered(facts)
    unknown = sum(not one["source"] for one in answered)
    note = f"{sheet.note} Answered: {len(answered) - unknown} of {len(answered)}; unknown: {unknown}."
    return Section(sheet.title, "as each row says", [sheet.citation, note], _answers(answered))


def _sheet_part(sheet: Sheet, facts: Facts, numbers: range) -> Section:
    answered = [one for one in sheet.answered(facts) if int(one["number"]) in numbers]
    return Section(f"{sheet.title}, items on data", "as each row says", [sheet.citation], _answers(answered))


def _answers(answered: list[dict[str, str]]) -> Table:
    keys = ("number", "asks", "answer", "source")
    return [["item", "asks for", "what the run says", "file"], *([one[key] for key in keys] for one in answered)]
