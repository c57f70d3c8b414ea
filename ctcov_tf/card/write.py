"""Writes the cards of a run: Markdown, JSON and HTML."""

import html
import pathlib
from typing import Any

import jinja2

from ctcov_tf import files
from ctcov_tf.card import claim, documents, probast
from ctcov_tf.card import facts as facts_lib
from ctcov_tf.card.unknown import Unknown
from ctcov_tf.evaluation import tables
from ctcov_tf.pages import template as pages
from ctcov_tf.run_directory import RunDirectory

JSON = "card.json"


def write(
    run: RunDirectory, folder: pathlib.Path, verification: pathlib.Path | None = None
) -> tuple[dict[str, Any], list[pathlib.Path]]:
    """Writes `model_card` and `data_card`, each as `.md` and `.html`, and `card.json` with the facts of both.

    Args:
      run: the run.
      folder: where to write; made if missing.
      verification: record that export.py wrote beside the exports.

    Returns:
      What `card.json` holds: the facts, and the answered checklists as `claim` and `probast`; and the paths written.

    Raises:
      CtcovError: a file of the run is damaged, or `verification` is missing.
    """
    facts = facts_lib.collect(run, verification)
    sheets = {"claim": claim.SHEET, "probast": probast.SHEET}
    content = facts | {name: sheet.answered(facts) for name, sheet in sheets.items()}
    pages_by_path = {}
    for document in (documents.model_card(facts), documents.data_card(facts)):
        pages_by_path[folder / f"{document.name}.md"] = as_markdown(document)
        pages_by_path[folder / f"{document.name}.html"] = as_html(document, run.figures)
    for path, page in pages_by_path.items():
        files.write_text(path, page)
    files.write_json(folder / JSON, content)
    return content, [*pages_by_path, folder / JSON]


def as_markdown(document: documents.Document) -> str:
    """A page in Markdown, without its figures."""
    environment = _environment()
    environment.autoescape = False
    environment.filters["table"] = _markdown_table
    environment.filters["line"] = _plain
    return environment.get_template("card.md").render(document=document)


def as_html(document: documents.Document, figures: pathlib.Path) -> str:
    """A page in HTML that needs no other file; `figures` is the folder of those that it shows."""
    environment = _environment()
    environment.globals["figure"] = lambda name: pages.data_url((figures / name).read_bytes())
    return environment.get_template("card.html").render(document=document)


def _environment() -> jinja2.Environment:
    environment = pages.environment(pathlib.Path(__file__).parent)
    environment.tests["unknown"] = lambda text: isinstance(text, Unknown) or str(text).startswith("unknown: ")
    return environment


def _markdown_table(rows: documents.Table) -> str:
    return tables.markdown([[_plain(cell).replace("|", "\\|") for cell in row] for row in rows])


def _plain(text: str) -> str:
    """Text on one line, in which Markdown finds no tags."""
    return html.escape(" ".join(text.split()), quote=False)
