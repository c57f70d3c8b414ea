"""`ctcov screen`: an archive in, tables of answers out, as many times as it takes."""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import secrets
import sys
import time
from typing import Any

from fsspec.implementations.local import LocalFileSystem
import pyarrow as pa

from ctcov_tf import RESEARCH_USE, errors, files, locks, predictor
from ctcov_tf.images import pseudonym
from ctcov_tf.images import window as window_lib
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.predictor import Predictor
from ctcov_tf.screening import page, pipeline, places, results
from ctcov_tf.screening.places import Found, Place
from ctcov_tf.screening.rows import Settings

SUFFIX = ".parquet"


def run(
    root: str,
    model: str,
    out: str,
    *,
    beam_options: Sequence[str] = (),
    workers: int | None = None,
    window: tuple[float, float] | None = None,
    as_json: bool = False,
) -> int:
    """Answers every image file and DICOM file below a folder, and writes the tables.

    What was answered before, in `out` or by a call that was stopped, is known by its content and not answered again.
    The tables tell of the files that are there now.

    Args:
      root: folder of the archive, local or on a file system that fsspec knows.
      model: what `predictor.load` opens.
      out: table of answers, `*.parquet`; studies, quarantine and page stand beside it.
      beam_options: Beam's options without dashes, such as `runner=FlinkRunner`.
      workers: that answer on this machine; one for each processor if None.
      window: centre and width of the window that CT goes through, Hounsfield units; that of the lung if None.
      as_json: whether to print the summary as JSON.

    Returns:
      0, or 2 where no file could be answered.

    Raises:
      CtcovError: there is no such folder, it is empty, the model cannot be opened, `out` is no such table or of another
        model or window, or the pipeline stops.
    """
    start = time.monotonic()
    if not out.endswith(SUFFIX):
        raise errors.CtcovError(f"{out}: --out is a table: name a file that ends in {SUFFIX}")
    processors = len(os.sched_getaffinity(0))
    workers = workers or processors
    options = pipeline.beam_options(beam_options, workers)
    archive, answers = Place(root), Place(out)
    info, fingerprint = _model(model)
    chosen = window_lib.of(window)
    given = os.environ.get(pseudonym.KEY_VARIABLE, "")
    secret = pseudonym.key() if given else secrets.token_bytes(32)
    settings = Settings(info.name, fingerprint, (chosen.center, chosen.width), pseudonym.pseudonym("which key", secret))
    written = {
        "answers": answers,
        "studies": answers.named(".studies.parquet", SUFFIX),
        "quarantine": answers.named(".quarantine.parquet", SUFFIX),
        "page": answers.named(".html", SUFFIX),
    }
    work = answers.named(".parts", SUFFIX)
    with _told_in_one_line(answers), _alone(answers, work):
        before, earlier = _before(answers, work)
        _, other_key = pipeline.known(before, settings)
        if other_key:
            print(
                f"{answers}: {other_key} slices of studies are answered anew: their pseudonyms are of another key "
                f"(set {pseudonym.KEY_VARIABLE} to keep them)",
                file=sys.stderr,
            )
        folder = work / f"{earlier + 1:04}"
        spans, listed = _list(archive, folder, work, written.values())
        job = pipeline.Job(
            root=archive,
            model=model,
            threads=max(1, processors // workers),
            folder=folder,
            before=before,
            settings=settings,
            secret=secret,
        )
        pipeline.run(job, spans, listed, options)
        gathered = results.Results(info, settings, folder, before, folder)
        unfinished = folder / "answers.unfinished"
        gathered.write_answers(unfinished)
        gathered.write_quarantine(written["quarantine"])
        gathered.write_studies(written["studies"])
        found = _found(info, settings, gathered.totals) | {
            "files": listed,
            "seconds": round(time.monotonic() - start, 3),
            "written": {name: str(place) for name, place in written.items()},
            "notice": RESEARCH_USE,
        }
        rendered = page.render(found, gathered.highest_studies(page.MOST_STUDIES)).encode()
        places.write(written["page"], folder, lambda file: file.write(rendered))
        answers.fs.mv(unfinished.path, answers.path)
        work.fs.rm(work.path, recursive=True)
        print(json.dumps(found) if as_json else page.summary(found))
        return 0 if gathered.totals.answered else errors.EXIT_USER_ERROR


@contextlib.contextmanager
def _alone(answers: Place, work: Place) -> Iterator[None]:
    """Holds the table against other calls; on file systems that are not this machine's nothing is known of others."""
    if not isinstance(answers.fs, LocalFileSystem):
        yield
        return
    path = pathlib.Path(work.path)
    with locks.held(path / "screening", "written"):
        try:
            yield
        finally:
            if path.is_dir() and set(work.names()) <= {locks.FOLDER}:
                work.fs.rm(work.path, recursive=True)


@contextlib.contextmanager
def _told_in_one_line(answers: Place) -> Iterator[None]:
    """Says of a full disk, or of a folder that cannot be written, what to do."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = (isinstance(error, OSError) and error.strerror) or errors.one_line(error)
        raise errors.CtcovError(
            f"{answers}: cannot be written ({reason}): mend that and give the same command again: what was answered is "
            "kept"
        ) from error


def _list(archive: Place, folder: Place, work: Place, own: Iterable[Place]) -> tuple[list[pipeline.Span], int]:
    """Lists the archive without what the command itself writes; leaves no folder behind where there is nothing."""
    folder.fs.makedirs(folder.path, exist_ok=True)
    try:
        spans, listed = pipeline.write_list(_without(places.walk(archive), archive, [*own, work]), folder)
        if not listed:
            raise errors.CtcovError(f"{archive}: no file in it: name the folder of the archive")
    except errors.CtcovError:
        folder.fs.rm(folder.path, recursive=True)
        raise
    return spans, listed


def _found(info: ModelInfo, settings: Settings, totals: results.Totals) -> dict[str, Any]:
    """What the answers come to, in plain JSON types."""
    return {
        "model": info.name,
        "model_sha256": settings.sha256,
        "positive": info.labels.positive,
        "window": settings.window,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "answered": totals.answered,
        "again": totals.again,
        "slices": totals.rows,
        "labels": dict(totals.labels.most_common()),
        "histogram": totals.histogram,
        "studies": dict(totals.studies.most_common()),
        "quarantine": {kind: dict(reasons.most_common()) for kind, reasons in totals.quarantine.items()},
    }


def _model(model: str) -> tuple[ModelInfo, str]:
    """The model's record, and a hash of what its answers come from; it is opened to see that it can be."""
    opened = predictor.load(model)
    return opened.info, _fingerprint(opened)


def _fingerprint(opened: Predictor) -> str:
    path = opened.path
    if path.is_file():
        return files.sha256(path)
    weights = [path / "model.keras", path / "saved_model.pb", *sorted((path / "variables").glob("*"))]
    hashes = [files.sha256(file) for file in weights if file.is_file()]
    return hashlib.sha256("\n".join([opened.info.to_json(), *hashes]).encode()).hexdigest()


def _before(answers: Place, work: Place) -> tuple[tuple[Place, ...], int]:
    """Tables of answers that were given before, and how many calls were stopped."""
    found = [answers] if answers.fs.exists(answers.path) else []
    stopped = 0
    if work.fs.isdir(work.path):
        for folder in filter(str.isdecimal, work.names()):
            found += results.tables(work / folder, pipeline.ANSWERS)
            stopped = int(folder)
    return tuple(found), stopped


def _without(found: Iterator[Found], archive: Place, own: Sequence[Place]) -> Iterator[Found]:
    """Leaves out what the command itself writes, where that lies in the archive."""
    if type(archive.fs) is not type(own[0].fs):
        yield from found
        return
    top = archive.path.rstrip("/")
    names = [place.path.removeprefix(f"{top}/") for place in own if place.path.startswith(f"{top}/")]
    for one in found:
        if not any(one.path == name or one.path.startswith(f"{name}/") for name in names):
            yield one
