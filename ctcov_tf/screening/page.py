"""What a screening came to, for readers: a summary for the terminal and one HTML page that needs no other file."""

from collections.abc import Sequence
import pathlib
from typing import Any

from ctcov_tf import RESEARCH_USE
from ctcov_tf.pages import template
from ctcov_tf.screening.results import BINS
from ctcov_tf.studies import StudyAnswer

MOST_STUDIES = 50
_MOST_REASONS = 20
_TITLES = {"unreadable": "could not be read", "unsuitable": "are not for this model"}


def summary(found: dict[str, Any]) -> str:
    """The screening as plain text.

    Args:
      found: what `command.run` puts together.
    """
    lines = [
        f"{found['files']} files: {found['answered']} answered ({found['again']} of them before), "
        f"{found['files'] - found['answered']} in quarantine",
        f"{found['slices']} slices and images: "
        + (", ".join(f"{number} {label}" for label, number in found["labels"].items()) or "none"),
    ]
    if found["studies"]:
        decided = ", ".join(f"{number} {label}" for label, number in found["studies"].items())
        lines.append(f"{sum(found['studies'].values())} studies: {decided}")
    for kind, reasons in found["quarantine"].items():
        lines.append(f"{sum(reasons.values())} files {_TITLES[kind]}:")
        lines += [f"  {number}  {reason}" for reason, number in list(reasons.items())[:_MOST_REASONS]]
    lines.append(f"{found['seconds']:.0f} s, {found['model']}")
    lines += [f"{name}: {place}" for name, place in found["written"].items()]
    return "\n".join([*lines, RESEARCH_USE])


def render(found: dict[str, Any], studies: Sequence[StudyAnswer]) -> str:
    """Renders the page.

    Args:
      found: what `command.run` puts together.
      studies: those to show.
    """
    most = max(found["histogram"]) or 1
    bars = [
        {"range": f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}", "number": number, "share": number / most}
        for place, number in enumerate(found["histogram"])
    ]
    page = template.environment(pathlib.Path(__file__).parent).get_template("screening.html")
    return page.render(
        found=found,
        bars=bars,
        studies=studies,
        titles=_TITLES,
        most_reasons=_MOST_REASONS,
        notice=RESEARCH_USE,
    )
