"""The table as one HTML page that needs no other file."""

import pathlib
from typing import Any

from ctcov_tf import RESEARCH_USE
from ctcov_tf.pages import template
from ctcov_tf.reproduce import table


def render(content: dict[str, Any], picture: bytes) -> str:
    """Renders the page.

    Args:
      content: what `table.build` gave.
      picture: the ROC curves, as PNG.

    Returns:
      HTML.
    """
    with_paper = any(row["comparability"] for row in content["rows"])
    return (
        template.environment(pathlib.Path(__file__).parent)
        .get_template("table.html")
        .render(
            content=content,
            subject=table.subject(content),
            settings=table.settings_of(content),
            statistics=table.statistics_of(content),
            results=table.results(content),
            beside=table.beside_the_paper(content) if with_paper else [],
            picture=template.data_url(picture),
            notice=RESEARCH_USE,
        )
    )
