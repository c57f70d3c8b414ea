"""What a collection holds: images by part and class beside the publisher's, sources and patients by class."""

from typing import Any

import pandas as pd

from ctcov_tf.audit.collection import Published

WHOLE = "all"
NOT_TOLD = "(not told)"


def images(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by part, or `all` where no parts are told, and class."""
    return _crossed(table["split"].replace("", WHOLE), table["label"])


def sources(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images by source and class, the largest source first."""
    by_source = _crossed(table["source"].replace("", NOT_TOLD), table["label"])
    return dict(sorted(by_source.items(), key=lambda item: -sum(item[1].values())))


def groups(table: pd.DataFrame) -> dict[str, Any]:
    """Groups that are told of.

    Returns:
      `told`: images whose group is told; `number`: of groups; `by_class`: groups with images of each class;
      `of_several_classes`: groups with images of more than one.
    """
    told = table[table["group"] != ""]
    classes = told.groupby("group")["label"].nunique()
    return {
        "told": len(told),
        "number": len(classes),
        "by_class": {
            str(label): int(told.loc[told["label"] == label, "group"].nunique())
            for label in sorted(set(table["label"]))
        },
        "of_several_classes": int((classes > 1).sum()),
    }


def patients(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What is told of patients by class, in words: age, sex and view, with the share of images where it is known."""
    return {
        str(label): {name: _describe(rows[name]) for name in ("age", "sex", "view") if name in table}
        for label, rows in table.groupby("label")
    }


def against_published(found: dict[str, dict[str, int]], published: Published) -> list[dict[str, Any]]:
    """Holds the number of images against the publisher's; by class alone where the collection tells no parts.

    Args:
      found: what `images` gave.
      published: the publisher's.

    Returns:
      `part`, `class`, `found` and `published`, for every part and class that the publisher states.
    """
    parts = {**found, WHOLE: _over_parts(found)}
    stated = published.images if set(found) != {WHOLE} else {WHOLE: _over_parts(published.images)}
    return [
        {"part": part, "class": label, "found": parts.get(part, {}).get(label, 0), "published": number}
        for part, by_class in stated.items()
        for label, number in by_class.items()
    ]


def _over_parts(images: dict[str, dict[str, int]]) -> dict[str, int]:
    return {label: sum(by_class.get(label, 0) for by_class in images.values()) for label in next(iter(images.values()))}


def _crossed(rows: pd.Series, columns: pd.Series) -> dict[str, dict[str, int]]:
    crossed = pd.crosstab(rows, columns).to_dict("index")
    first = ("train", "validation", "test")
    order = [*(name for name in first if name in crossed), *(name for name in crossed if name not in first)]
    return {str(name): {str(label): int(number) for label, number in crossed[name].items()} for name in order}


def _describe(values: pd.Series) -> str:
    known = values.dropna() if values.dtype.kind == "f" else values[values != ""]
    if not len(known):
        return "not told"
    share = f" ({len(known) / len(values):.0%} told)" if len(known) < len(values) else ""
    if known.dtype.kind in "if":
        return f"median {known.median():.0f}{share}"
    most = known.value_counts(normalize=True).head(3)
    return ", ".join(f"{name} {part:.0%}" for name, part in most.items()) + share
