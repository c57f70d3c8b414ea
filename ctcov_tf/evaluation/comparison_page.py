"""A comparison for readers: a table for the terminal and a Markdown page."""

from typing import Any

from ctcov_tf import RESEARCH_USE
from ctcov_tf.evaluation import seed_means, tables
from ctcov_tf.evaluation.report import METRIC_TITLES

NAMES = ("precision", "recall", "f1", "auc", "accuracy")  # Table VI's order
TESTS = (
    "P values: DeLong's test of the AUCs and McNemar's exact test of the decisions, corrected for the number of rows "
    "(Holm). Both count images as independent: where a patient has several, they are too small, and the interval leads."
)


def as_text(comparison: dict[str, Any]) -> str:
    """A plain table, one column an arm, with warnings above and remarks below; then means over seeds, if there are any.

    Args:
      comparison: what `comparison.compare` gave.
    """
    heading, *body = _rows(comparison)
    columns = zip(heading, *body, strict=True)
    return "\n".join(
        [
            *(f"WARNING: {warning}" for warning in comparison["warnings"]),
            f"{comparison['dataset']}, {_on_part(comparison)}",
            "",
            tables.aligned(list(columns)),
            "",
            f"brackets: 95 % interval over groups. {TESTS}",
            *(f"- {remark}" for remark in comparison["remarks"]),
            *_means_as_text(comparison.get("seed_means")),
            RESEARCH_USE,
        ]
    )


def as_markdown(comparison: dict[str, Any], title: str, picture: str, curves: str | None = None) -> str:
    """A page: notice, warnings, one table with a row an arm, picture, remarks; then means over seeds, if there are any.

    Args:
      comparison: what `comparison.compare` gave.
      title: of the page.
      picture: file name of the forest plot, beside the page.
      curves: file name of the learning curves; None leaves them out.
    """
    bootstrap = comparison["bootstrap"]
    same = next((arm["same_source"] for arm in comparison["arms"].values() if arm["same_source"]), None)
    within = (
        f"Same source: only the {same['images']} images ({same['positives']} positive) whose source also holds "
        f"positive ones ({', '.join(same['sources'])}). "
        if same
        else ""
    )
    return "\n".join(
        [
            f"# {title}",
            "",
            f"**{RESEARCH_USE}**",
            "",
            *(line for warning in comparison["warnings"] for line in (f"> **Warning.** {warning}", "")),
            f"{comparison['dataset']}, {_on_part(comparison)}.",
            "",
            tables.markdown(_rows(comparison)),
            "",
            f"Brackets: 95 % intervals, percentile bootstrap over groups (patients), {bootstrap['replicates']} "
            f"replicates, seed {bootstrap['seed']}, each run's threshold as chosen on validation. {within}Difference: "
            f"to {comparison['reference']}, on the same images and the same replicates. {TESTS} Training: wall clock, "
            "with the likelihoods of the frozen parts, without their own training.",
            "",
            f"![AUC of each arm with its interval]({picture})",
            "",
            *(("![Training loss and validation AUC by epoch](" + curves + ")", "") if curves else ()),
            *(f"- {remark}" for remark in comparison["remarks"]),
            "",
            *_means_as_markdown(comparison.get("seed_means")),
        ]
    )


def _means_as_text(means: dict[str, Any] | None) -> list[str]:
    """The lines of the second table; none where no configuration has several seeds."""
    if not means:
        return []
    table = tables.aligned(seed_means.rows(means))
    remarks = [f"- {remark}" for remark in means["remarks"]]
    return ["", "mean over seeds", "", table, "", seed_means.STATISTICS, *remarks]


def _means_as_markdown(means: dict[str, Any] | None) -> list[str]:
    if not means:
        return []
    table = tables.markdown(seed_means.rows(means))
    remarks = [f"- {remark}" for remark in means["remarks"]]
    return ["## Mean over seeds", "", table, "", seed_means.STATISTICS, "", *remarks, ""]


def _on_part(comparison: dict[str, Any]) -> str:
    arm = next(iter(comparison["arms"].values()))
    return (
        f"positive {comparison['positive']}, {comparison['split']} part: {arm['images']} images of {arm['groups']} "
        f"groups, {arm['positives']} positive"
    )


def _rows(comparison: dict[str, Any]) -> list[list[str]]:
    """The heading, then one row an arm."""
    arms = comparison["arms"]
    with_sources = any(arm["same_source"] for arm in arms.values())
    titles = [METRIC_TITLES[name] for name in NAMES]
    sources = ["same-source AUC", "its difference"] if with_sources else []
    heading = ["", *titles, "difference of AUC", "DeLong p", "McNemar p", *sources, "validation AUC", "training"]
    rows = [heading]
    for name, arm in arms.items():
        row = [
            name,
            *(tables.number(arm["metrics"][metric]) for metric in NAMES),
            _number(arm["auc_difference"], "+.3f"),
            *(tables.p_value(arm["tests"], test) for test in ("delong", "mcnemar")),
        ]
        if with_sources:
            same = arm["same_source"]
            row += [_number(same and same["metrics"]["auc"]), _number(arm["same_source_auc_difference"], "+.3f")]
        rows.append([*row, _number(arm["validation_auc"]), tables.duration(arm["seconds"])])
    return rows


def _number(metric: dict[str, float | None] | None, form: str = ".3f") -> str:
    return tables.number(metric, form) if metric else tables.DASH
