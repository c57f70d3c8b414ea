"""What a benchmark found, in one form for all: a table, a JSON record and a plot."""

import dataclasses
import datetime
import json
import pathlib
import textwrap
from typing import Any

from benchmarks import machine
from ctcov_tf import files

Spread = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Output:
    """Where a benchmark's record goes."""

    json: bool = False
    """Print the record as JSON instead of a table."""
    record: pathlib.Path | None = None
    """JSON file to write the record to; its plot stands beside it as .png."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Contestants under one setting.

    Attributes:
      name: the setting, such as a network and a batch size.
      unit: of the values, such as `ms an image`; less is better.
      values: spread of each contestant's values, as `timing.spread` gives it.
      ratios: spread of one contestant's values over another's, round by round, by a name that says both.
      facts: what else was found of each contestant, by name: share of the roofline, megabytes, differences.
    """

    name: str
    unit: str
    values: dict[str, Spread]
    ratios: dict[str, Spread] = dataclasses.field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Goal:
    """A bound, and whether it holds.

    Attributes:
      name: what is bounded.
      value: measured, a median.
      bound: the bound.
      at_least: whether the value is to be above the bound; else below.
    """

    name: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the bound holds."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def make(benchmark: str, settings: dict[str, Any], cases: list[Case], goals: list[Goal], **more: Any) -> dict[str, Any]:
    """The record.

    Args:
      benchmark: its module's name.
      settings: what was chosen.
      cases: what was found.
      goals: what was to be reached.
      **more: further sections, such as the roofline.

    Returns:
      Plain JSON types: when, on what, how and what.
    """
    return {
        "benchmark": benchmark,
        "date": datetime.date.today().isoformat(),
        "machine": machine.facts(),
        "settings": settings,
        **more,
        "cases": [dataclasses.asdict(case) for case in cases],
        "goals": [dataclasses.asdict(goal) | {"met": goal.met} for goal in goals],
    }


def publish(record: dict[str, Any], output: Output) -> None:
    """Prints a record, and writes it and its plot where that is asked for."""
    if output.record:
        write(record, output.record)
    print(json.dumps(record, indent=2) if output.json else table(record))


def write(record: dict[str, Any], path: pathlib.Path) -> None:
    """Writes a record as JSON, and its plot beside it as PNG."""
    files.write_json(path, record)
    plot(record, path.with_suffix(".png"))


def table(record: dict[str, Any]) -> str:
    """The record as text: every case, its ratios, and the goals."""
    lines = []
    for case in record["cases"]:
        width = max(map(len, [*case["values"], *case["ratios"]]))
        lines.append(f"{case['name']}, {case['unit']}: median (quartiles)")
        for name, value in case["values"].items():
            facts = ", ".join(f"{key} {fact}" for key, fact in case["facts"].get(name, {}).items())
            lines.append(f"  {name:{width}}  {_spread(value)}  {facts}".rstrip())
        lines += [f"  {name:{width}}  {_spread(value)}" for name, value in case["ratios"].items()]
    for goal in record["goals"]:
        sense = "at least" if goal["at_least"] else "at most"
        verdict = "reached" if goal["met"] else "missed"
        lines.append(f"goal: {goal['name']}: {sense} {goal['bound']:g}: {goal['value']:.4g}, {verdict}")
    return "\n".join(lines)


def plot(record: dict[str, Any], path: pathlib.Path) -> None:
    """Draws a bar for each contestant with its quartiles, a panel for each case.

    Args:
      record: as `make` returns it.
      path: PNG file to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cases = record["cases"]
    bars = [len(case["values"]) for case in cases]
    figure, axes = plt.subplots(
        len(cases), 1, figsize=(8, 1.0 * len(cases) + 0.34 * sum(bars)), squeeze=False, height_ratios=bars
    )
    for axis, case in zip(axes[:, 0], cases, strict=True):
        names = list(case["values"])
        medians = [case["values"][name]["median"] for name in names]
        below = [case["values"][name]["median"] - case["values"][name]["low"] for name in names]
        above = [case["values"][name]["high"] - case["values"][name]["median"] for name in names]
        colours = ["tab:blue" if "ctcov" in name else "tab:gray" for name in names]
        drawn = axis.barh(names, medians, xerr=[below, above], color=colours, error_kw={"capsize": 3})
        axis.bar_label(drawn, [label(median) for median in medians], padding=6, fontsize=8)
        axis.set_xlim(0, 1.15 * max(case["values"][name]["high"] for name in names))
        axis.invert_yaxis()
        axis.set_title(textwrap.fill(f"{case['name']}, {case['unit']}", 70), fontsize=10, loc="left")
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    with files.atomic_path(path) as written:
        figure.savefig(written, dpi=120)
    plt.close(figure)


def label(value: float) -> str:
    """A value as it stands at the end of its bar: three digits, or all those before the point."""
    return f"{value:,.0f}" if round(value) >= 1000 else f"{value:.3g}"


def _spread(value: Spread) -> str:
    return f"{value['median']:9.4g} ({value['low']:.4g} to {value['high']:.4g})"
