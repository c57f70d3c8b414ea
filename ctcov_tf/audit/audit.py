"""The audit: reads every image once, measures, judges, and gives all of it as plain JSON types."""

import dataclasses
import datetime
from typing import Any

from ctcov_tf import RESEARCH_USE
from ctcov_tf.audit import classifiers, counts, duplicates, overlap, verdict
from ctcov_tf.audit.collection import Collection
from ctcov_tf.audit.scan import Scan
from ctcov_tf.statistics import bootstrap

FORMAT = 1


def audit(collection: Collection, seen: Scan, limits: verdict.Limits, seed: int = 0) -> dict[str, Any]:
    """Audits a collection.

    Args:
      collection: the images.
      seen: what `scan.scan` saw of them.
      limits: what is let pass.
      seed: of folds, models and bootstrap.

    Returns:
      What audit.json holds.
    """
    table = seen.table
    found = duplicates.find(seen)
    by_part = counts.images(table)
    measured: dict[str, Any] = {
        "format": FORMAT,
        "name": collection.name,
        "synthetic": collection.synthetic,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "bootstrap": {"unit": "group", "replicates": bootstrap.REPLICATES, "seed": seed, "level": bootstrap.LEVEL},
        "limits": dataclasses.asdict(limits),
        "images": len(table),
        "unreadable": seen.unreadable,
        "remarks": list(collection.remarks),
        "counts": by_part,
        "published": None,
        "sources": counts.sources(table),
        "groups": counts.groups(table),
        "patients": counts.patients(table),
        "overlaps": overlap.overlaps(table),
        "duplicates": {
            "pairs": [_pair(pair, seen) for pair in found.pairs],
            "repeated_files": found.repeated_files,
            "examined": found.examined,
            "most_bits": found.most_bits,
        },
        "classifiers": [dataclasses.asdict(result) for result in classifiers.run(seen, seed)],
        "notice": RESEARCH_USE,
    }
    if collection.published:
        rows = counts.against_published(by_part, collection.published)
        measured["published"] = {"source": collection.published.source, "rows": rows}
    return measured | {"verdict": dataclasses.asdict(verdict.verdict(measured, limits))}


def _pair(pair: duplicates.Pair, seen: Scan) -> dict[str, Any]:
    first, second = (seen.table.iloc[row] for row in (pair.first, pair.second))
    ends = {
        f"{end}{name}": str(row[column])
        for end, row in (("first", first), ("second", second))
        for name, column in (("", "image_id"), ("_label", "label"), ("_split", "split"), ("_group", "group"))
    }
    between = [
        name
        for name, column in (("classes", "label"), ("parts", "split"), ("groups", "group"))
        if first[column] != second[column]
    ]
    return {"how": pair.how, "correlation": round(pair.correlation, 3), "between": between, **ends}
