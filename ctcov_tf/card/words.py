"""Facts as text: single values, and whatever is nested as rows of a name and a value."""

from typing import Any

from ctcov_tf.evaluation import tables

LONGEST = 12  # entries of a list that are written out
STEP = " / "  # between the names of nested facts


def text(value: Any) -> str:
    """One value: numbers to four figures, metrics with their interval, lists with commas."""
    if isinstance(value, dict):
        return tables.number(value) if value else "none"
    if isinstance(value, list):
        if len(value) > LONGEST:
            return f"{len(value)} entries, see the file"
        return ", ".join(map(text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)


def rows(facts: Any, name: str = "") -> list[list[str]]:
    """Nested facts as rows.

    Args:
      facts: a value, a dict or a list of dicts, nested at will.
      name: of the facts; those of what lies inside are put behind it.

    Returns:
      Name and text of each value.
    """
    inside = _inside(facts)
    if inside is None:
        return [[name.replace("_", " "), text(facts)]]
    return [row for key, value in inside for row in rows(value, f"{name}{STEP}{key}" if name else str(key))]


def is_metric(value: Any) -> bool:
    """Whether a dict is a value with its interval; a curve of such is none."""
    return isinstance(value, dict) and {"value", "low", "high"} <= set(value) and not isinstance(value["value"], list)


def _inside(facts: Any) -> list[tuple[Any, Any]] | None:
    """Names and values of what is nested in facts; None where they are one value."""
    if isinstance(facts, dict) and facts and not is_metric(facts):
        return list(facts.items())
    if isinstance(facts, list) and facts and len(facts) <= LONGEST and all(isinstance(one, dict) for one in facts):
        return [(one.get("name", number), _unnamed(one)) for number, one in enumerate(facts, start=1)]
    return None


def _unnamed(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "name"} or one
