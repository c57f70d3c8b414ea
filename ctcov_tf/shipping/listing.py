"""`ctcov models`: the shipped models as a table and as JSON."""

from typing import Any

from ctcov_tf import RESEARCH_USE, modality, shipped
from ctcov_tf.evaluation import tables


def records() -> list[dict[str, Any]]:
    """Each shipped model, the best of its modality first.

    Returns:
      `name`, `modality`, `preset`, `trained_on`, `figures` (test AUC, that of file facts alone and that within one
      source, with intervals), `megabytes` here, `default` (it answers where no model is named for its modality),
      `files` here, `path`.
    """
    best = {found.path for one in modality.NAMES if (found := shipped.best(one))}
    return [
        {
            "name": model.name,
            "modality": model.modality,
            "preset": model.content["preset"],
            "trained_on": model.content["trained_on"],
            "figures": model.figures,
            "megabytes": round(model.megabytes, 2),
            "default": model.path in best,
            "files": [name for name in model.content["files"] if model.has(name)],
            "path": str(model.path),
            "notice": RESEARCH_USE,
        }
        for model in shipped.models()
    ]


def table() -> str:
    """The same as text; one line where nothing ships."""
    found = records()
    if not found:
        return f"{shipped.root()}: {shipped.NONE}"
    rows = [
        [
            "name",
            "images",
            "preset",
            "trained on",
            "test AUC [95 %]",
            "file facts alone",
            "within one source",
            "MB",
            "default",
        ]
    ]
    for one in found:
        figures = one["figures"]
        rows.append(
            [
                one["name"],
                one["modality"] or "-",
                one["preset"],
                one["trained_on"],
                shipped.interval(figures["auc"]),
                shipped.interval(figures["file_facts_auc"]),
                shipped.interval(figures["same_source_auc"]),
                f"{one['megabytes']:.1f}",
                "yes" if one["default"] else "",
            ]
        )
    return f"{tables.aligned(rows)}\nin {shipped.root()}"
