"""The Beam pipeline: a list of files, cut into spans; each worker answers spans and writes a table of each.

Tables and not answers go through the pipeline, so that its memory does not grow with the archive, and what was answered
before an interruption is there afterwards.
"""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import dataclasses
import functools
import io
import json
import logging
import os
import threading
from typing import Any, BinaryIO

import apache_beam as beam
from apache_beam.options import pipeline_options
from apache_beam.runners.portability import fn_api_runner
from apache_beam.utils import shared
import pyarrow as pa
import pyarrow.parquet as pq
import tqdm

from ctcov_tf import errors, predictor
from ctcov_tf.files import MAX_BYTES
from ctcov_tf.images.window import Window
from ctcov_tf.screening import places, rows
from ctcov_tf.screening.answering import Answering, File, Refused
from ctcov_tf.screening.places import Found, Place
from ctcov_tf.screening.rows import Settings

SPAN = 64
"""Files that a worker answers before it writes their table: what is lost when it is stopped."""

ANSWERS, QUARANTINE, KEPT = "answers", "quarantine", "kept"

_LIST = "files.jsonl"
_POLL = 1.0  # seconds between two looks at what is finished


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker needs to know.

    Attributes:
      root: folder of the archive.
      model: what `predictor.load` opens, on every worker.
      threads: of a TFLite file, on each worker.
      folder: where tables of spans go.
      before: tables of answers that were given before.
      settings: of the answers.
      secret: the key that pseudonyms are made with.
    """

    root: Place
    model: str
    threads: int
    folder: Place
    before: tuple[Place, ...]
    settings: Settings
    secret: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Span:
    """Some files of the list.

    Attributes:
      number: of the span.
      start: byte of the list at which they begin.
      stop: byte at which they end.
    """

    number: int
    start: int
    stop: int


def write_list(found: Iterable[Found], folder: Place) -> tuple[list[Span], int]:
    """Writes the list of files.

    Args:
      found: the files.
      folder: to write it in.

    Returns:
      Its spans, and the number of files.
    """
    spans: list[Span] = []
    files = 0

    def content(file: BinaryIO) -> None:
        nonlocal files
        start = place = 0
        for one in found:
            place += file.write(json.dumps([one.path, one.size]).encode() + b"\n")
            files += 1
            if files % SPAN == 0:
                spans.append(Span(len(spans), start, place))
                start = place
        if place > start:
            spans.append(Span(len(spans), start, place))

    places.write(folder / _LIST, folder, content)
    return spans, files


def known(before: Iterable[Place], settings: Settings) -> tuple[set[bytes], int]:
    """What was answered before.

    Args:
      before: tables of answers.
      settings: of the answers now.

    Returns:
      SHA-256 of every file whose rows can be used again; and the number of slices that cannot, because their studies
      have pseudonyms of another key.

    Raises:
      CtcovError: one is no table of a screening, or of another model or window.
    """
    found: set[bytes] = set()
    other_key = 0
    for place in before:
        for batch, same_key in rows.read_answers(place, settings, ["sha256", "study"]):
            for sha256, study in zip(batch["sha256"].to_pylist(), batch["study"].to_pylist(), strict=True):
                if same_key or study is None:
                    found.add(bytes.fromhex(sha256))
                else:
                    other_key += 1
    return found, other_key


def _printable(path: str) -> str:
    """A path as text: bytes of a name that are no UTF-8 are spelled out."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class _Shared:
    """What the threads of a worker have in common: a model that can be asked by several, and what is known."""

    def __init__(self, job: Job) -> None:
        self.known, _ = known(job.before, job.settings)
        self.opened = None if os.path.isfile(job.model) else predictor.load(job.model)


class Answer(beam.DoFn):
    """Answers a span of files and writes its tables: refused and known files first, answers last."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._handle = shared.Shared()

    def setup(self) -> None:
        """Loads the model: a TFLite file for each thread, since its interpreter serves one, others once a process."""
        job = self._job
        self._shared = self._handle.acquire(functools.partial(_Shared, job))
        opened = self._shared.opened or predictor.load(job.model, job.threads)
        self._answering = Answering(opened, Window(*job.settings.window), job.secret)
        self._schema = job.settings.into(rows.answers(opened.info))

    def process(self, span: Span) -> Iterator[int]:
        """Answers a span.

        Args:
          span: of the list.

        Yields:
          Its number, once its tables are written.
        """
        refused: list[Refused] = []
        kept: list[dict[str, Any]] = []
        answered, failed = self._answering.answer(self._new_files(span, refused, kept))
        quarantine = [dataclasses.asdict(one) for one in (*refused, *failed)]
        self._write(QUARANTINE, span, quarantine, rows.QUARANTINE)
        self._write(KEPT, span, kept, rows.KEPT)
        self._write(ANSWERS, span, answered, self._schema)
        yield span.number

    def _new_files(self, span: Span, refused: list[Refused], kept: list[dict[str, Any]]) -> Iterator[File]:
        fs, root = self._job.root.fs, self._job.root.path.rstrip("/")
        folder = self._job.folder / _LIST
        with folder.fs.open(folder.path, "rb") as file:
            file.seek(span.start)
            listed = file.read(span.stop - span.start)
        for path, size in map(json.loads, listed.splitlines()):
            if size < 0:
                refused.append(Refused(_printable(path), "unreadable", "no regular file"))
                continue
            if size > MAX_BYTES:
                refused.append(Refused(_printable(path), "unreadable", f"over the limit of {MAX_BYTES:,} bytes"))
                continue
            try:
                found = File.of(_printable(path), places.read(fs, f"{root}/{path}", MAX_BYTES))
            except Exception as error:
                reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
                refused.append(Refused(_printable(path), "unreadable", f"cannot be read ({reason})"))
                continue
            if bytes.fromhex(found.sha256) in self._shared.known:
                kept.append({"path": found.path, "sha256": found.sha256})
            else:
                yield found

    def _write(self, name: str, span: Span, found: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
        """Writes a table; of no rows only where it tells that the span is finished."""
        if found or name == ANSWERS:
            place = self._job.folder / f"{name}-{span.number:08}.parquet"
            table = pa.Table.from_pylist(list(found), schema)
            places.write(place, self._job.folder, lambda file: pq.write_table(table, file))


def beam_options(options: Sequence[str], workers: int) -> pipeline_options.PipelineOptions:
    """Reads Beam's options.

    Args:
      options: without dashes, such as `runner=FlinkRunner`; without a runner the archive is answered by threads of this
        process.
      workers: threads then.

    Raises:
      CtcovError: Beam does not take them.
    """
    mode = "multi_threading" if workers > 1 else "in_memory"
    flags = [f"--direct_num_workers={workers}", f"--direct_running_mode={mode}", *(f"--{one}" for one in options)]
    try:
        chosen = pipeline_options.PipelineOptions(flags)
        chosen.get_all_options()
    except SystemExit as error:
        raise errors.CtcovError(f"{','.join(options)}: Beam does not take such options: see its pages") from error
    return chosen


def run(job: Job, spans: Sequence[Span], files: int, options: pipeline_options.PipelineOptions) -> None:
    """Runs the pipeline to its end, with a progress bar on stderr.

    Args:
      job: what to do.
      spans: of the list.
      files: how many it has.
      options: of Beam.

    Raises:
      CtcovError: the pipeline stops.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # it logs each worker's traceback; the last is told
    name = options.view_as(pipeline_options.StandardOptions).runner
    # The class itself: by its name Beam first looks for Prism, a program that it would have to download.
    runner = fn_api_runner.FnApiRunner() if name in (None, "DirectRunner") else name
    # Beam's workers print each traceback to stderr; the last line of the last is told, and the bar has its own stream.
    with _Progress(job.folder, files), contextlib.redirect_stderr(io.StringIO()):
        try:
            with beam.Pipeline(runner=runner, options=options) as pipeline:
                _ = pipeline | "spans" >> beam.Create(list(spans)) | "answer" >> beam.ParDo(Answer(job))
        except Exception as error:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise errors.CtcovError(
                f"{job.root}: screening stopped ({last}): mend that and give the same command again: "
                "what was answered is kept"
            ) from error


class _Progress:
    """A bar of finished spans, as their tables appear: the same for every runner."""

    def __init__(self, folder: Place, files: int) -> None:
        self._folder = folder
        self._bar = tqdm.tqdm(desc="screen", total=files, unit="file", leave=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.close()

    def _watch(self) -> None:
        while not self._stop.wait(_POLL):
            try:
                done = sum(name.startswith(f"{ANSWERS}-") for name in self._folder.names())
            except Exception:  # the folder has gone, or its file system does not answer: the bar waits
                continue
            self._bar.update(min(done * SPAN, self._bar.total) - self._bar.n)
