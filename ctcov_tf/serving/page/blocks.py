"""The page in Gradio: files in, answers, pictures and tables out."""

import base64
from collections.abc import Callable, Iterable, Sequence
import functools
import logging
import pathlib
from typing import Any

import gradio as gr
import pandas as pd

from ctcov_tf import RESEARCH_USE, errors, modality
from ctcov_tf import files as files_lib
from ctcov_tf.serving.addresses import Address
from ctcov_tf.serving.observer import place_of
from ctcov_tf.serving.page import parts
from ctcov_tf.serving.page import results as results_lib
from ctcov_tf.serving.page.door import Streams
from ctcov_tf.serving.page.results import Results
from ctcov_tf.serving.page.uploads import Uploads
from ctcov_tf.serving.rest import Refusal
from ctcov_tf.serving.settings import Limits
from ctcov_tf.serving.versions import Versions

_log = logging.getLogger(__name__)

FOLDER = pathlib.Path(__file__).parent
OPACITY = 0.4
NO_MAP = "none"
FORGET_SECONDS = 900
"""How long the answers of a page that has been closed are kept."""


class _Given(gr.data_classes.GradioRootModel):
    """What the door of the page has let pass: a file, or a list of them."""

    root: Any


def create(versions: Versions, limits: Limits, uploads: Uploads, streams: Streams) -> gr.Blocks:
    """Makes the page.

    Args:
      versions: what is served; the version in service answers.
      limits: most files at once.
      uploads: where the files of tickets are.
      streams: who still waits for answers.

    Returns:
      The page, to be mounted.
    """
    latest = Address(versions.name, None, None, "predict")
    with versions.lease(latest) as model:
        info = model.info
    known = modality.VIEWS[info.modality] if info.modality else "images"

    with gr.Blocks(title=f"ctcov: {info.name}", analytics_enabled=False) as page:
        gr.HTML(f'<div id="notice" role="note">{RESEARCH_USE}</div>')
        gr.Markdown(f"# {info.name}\nHow likely is {info.labels.positive}? For {known}, as pictures or as DICOM files.")
        results = gr.State(Results(), time_to_live=FORGET_SECONDS)
        files = gr.File(
            label="Drop images here, or the DICOM files of a study", file_count="multiple", height=150, elem_id="files"
        )
        folder = gr.UploadButton("or choose the folder of a study", file_count="directory", size="sm", elem_id="folder")
        for upload in (files, folder):  # not subclasses: Gradio writes a .pyi file beside the source of each
            upload.data_model = _Given
            upload.preprocess = _tickets  # type: ignore[method-assign, assignment]
        refused = gr.HTML(elem_id="refused")
        studies = gr.HTML(elem_id="studies")
        with gr.Row(visible=False, elem_id="result") as result:
            with gr.Column(scale=3):
                picture = gr.HTML(elem_id="picture")
                with gr.Row(visible=model.explains):
                    heatmap = gr.Radio([NO_MAP], value=NO_MAP, label="heat map", elem_id="heatmap")
                    opacity = gr.Slider(0, 1, OPACITY, step=0.05, label="opacity of the heat map", elem_id="opacity")
            with gr.Column(scale=2):
                answer = gr.HTML(elem_id="answer")
        strip = gr.HTML(elem_id="strip", js_on_load=(FOLDER / "strip.js").read_text(encoding="utf-8"))
        with gr.Column(visible=False) as tables:
            table = gr.Dataframe(interactive=False, label="all answers", elem_id="table", max_height=400)
            download = gr.HTML(elem_id="download")
        with gr.Accordion("About this model", open=False):
            about = gr.HTML(elem_id="model")
            card = gr.Markdown(elem_id="card")
        chosen = gr.State(0)

        def show_model() -> list[str]:
            with versions.lease(latest) as served:
                return [parts.model(served.info, served.version), served.card or ""]

        def ask(
            tickets: Sequence[str],
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008
        ) -> list[Any]:
            def watch(done: int, of: int) -> None:
                if request.session_hash and streams.has_left(request.session_hash):
                    raise gr.Error("nobody waits for these answers any more", print_exception=False)
                progress((done, of), desc="answering", unit="images")

            if len(tickets) > limits.slices:
                raise gr.Error(f"{len(tickets)} files: at most {limits.slices} at once", print_exception=False)
            progress(0, desc="reading")
            contents = _by_name(uploads.take(tickets))
            with versions.lease(latest) as served:
                found = results_lib.answer(contents, served, watch=watch)
                return [None, found, *shown(found, served.info)]

        def shown(found: Results, info: Any) -> list[Any]:
            rows = results_lib.rows(found)
            visible = gr.update(visible=bool(rows))
            names = next((list(one.heatmaps) for one in found.images if one.heatmaps), [])
            first = names[0] if names else NO_MAP
            return [
                parts.refused(found),
                parts.studies(found),
                visible,
                lay(found, first, 0) if rows else "",
                gr.update(choices=[NO_MAP, *names], value=first),
                parts.answer(found.images[0], info) if rows else "",
                parts.strip(found),
                visible,
                _table(rows) if rows else None,
                _link(results_lib.as_csv(found)) if rows else "",
                0,
            ]

        def choose(found: Results, name: str, event: gr.EventData) -> list[Any]:
            index = int(event.index)
            picture = lay(found, name, index)
            with versions.lease(latest) as served:
                return [picture, parts.answer(found.images[index], served.info), index]

        def lay(found: Results, name: str, index: int) -> str:
            if not 0 <= index < len(found.images):
                raise gr.Error("these answers are no longer kept: drop the images again", print_exception=False)
            one = found.images[index]
            return parts.picture(one, name if name in one.heatmaps else None)

        outputs = [results, refused, studies, result, picture, heatmap, answer, strip, tables, table, download, chosen]
        files.upload(_said(ask), files, [files, *outputs], show_progress="full", show_progress_on=[answer, refused])
        folder.upload(_said(ask), folder, [folder, *outputs], show_progress="full", show_progress_on=[answer, refused])
        # Not queued: each is answered by its own request, so that none can close the stream that an upload waits on.
        at_once: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        strip.select(_said(choose), [results, heatmap], [picture, answer, chosen], **at_once)
        heatmap.input(_said(lay), [results, heatmap, chosen], picture, **at_once)
        opacity.input(None, opacity, None, js="(value) => document.body.style.setProperty('--overlay', value)")
        page.load(_said(show_model), None, [about, card], **at_once)
    return page


def _tickets(payload: _Given | None) -> list[str]:
    """The tickets of uploaded files, in the place of the files: Gradio touches none."""
    root = payload.root if payload else []
    given = root if isinstance(root, list) else [root]
    return [one["path"] for one in given if isinstance(one, dict)]


def _by_name(files: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Contents by their names; those of one name, from several folders, get a number."""
    taken: set[str] = set()
    return {files_lib.unused_name(name, taken): content for name, content in files}


def _said(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the page whose errors are one line to visitors: of the code's own faults, their kind."""

    @functools.wraps(function)
    def said(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except gr.Error:
            raise
        except (errors.CtcovError, Refusal) as error:
            raise gr.Error(errors.one_line(error), print_exception=False) from error
        except Exception as error:
            _log.error("page: %s: %s", type(error).__name__, place_of(error))
            raise gr.Error(f"internal error ({type(error).__name__})", print_exception=False) from error

    return said


def _table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows without columns that hold nothing; numbers with as many digits as mean something."""
    return pd.DataFrame(rows).dropna(axis="columns", how="all").round(4)


def _link(text: str) -> str:
    content = base64.b64encode(text.encode()).decode()
    return f'<a download="ctcov.csv" href="data:text/csv;charset=utf-8;base64,{content}">Download the table as CSV</a>'
