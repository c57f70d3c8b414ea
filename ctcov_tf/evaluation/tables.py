"""Rows of cells as text: aligned for the terminal, or in Markdown."""

from collections.abc import Sequence
from typing import Any

DASH = "–"
"""Stands where there is nothing to say."""


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is the heading."""
    heading, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([heading, "|" + " --- |" * len(rows[0]), *body])


def number(metric: dict[str, float | None], form: str = ".3f") -> str:
    """A metric: its value, and its interval in brackets.

    Args:
      metric: `value`, `low` and `high`, None where undefined.
      form: format of each figure.
    """
    if metric["value"] is None:
        return "undefined"
    interval = f" [{metric['low']:{form}}, {metric['high']:{form}}]" if metric["low"] is not None else ""
    return f"{metric['value']:{form}}{interval}"


def mean(metric: dict[str, Any]) -> str:
    """A mean over seeds, its standard deviation, and its interval in brackets.

    Args:
      metric: `value`, `low`, `high` and `sd`, as `across_seeds.summarise` gives them.
    """
    text = number(metric)
    value, bracket, interval = text.partition(" [")
    return f"{value} ± {metric['sd']:.3f}{bracket}{interval}" if metric["sd"] is not None else text


def p_value(tests: dict[str, Any] | None, name: str) -> str:
    """Holm's corrected p value of a test.

    Args:
      tests: those of one row, as `comparison.tests` gives them; None for the reference.
      name: `delong` or `mcnemar`.
    """
    if not tests:
        return DASH
    value = tests[name] and tests[name]["p_value_holm"]
    if value is None:
        return "undefined"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """A time for readers; a dash where it is not known."""
    if seconds is None:
        return DASH
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
