"""Rows of cells as text: aligned for the terminal, or in Markdown."""

from collections.abc import Sequence


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
