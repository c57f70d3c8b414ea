"""From the workers' tables to the results: answers, studies, quarantine and what they come to."""

import collections
from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import itertools
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ctcov_tf import studies
from ctcov_tf.images import series as series_lib
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.screening import places, rows
from ctcov_tf.screening.places import Place
from ctcov_tf.screening.rows import Settings
from ctcov_tf.studies import SeriesAnswer, StudyAnswer

BINS = 10
"""Of the histogram of probabilities."""

_ROW_GROUP = 8192


@dataclasses.dataclass(frozen=True)
class Slice:
    """What a series' answer needs to know of a slice.

    Attributes:
      instance: pseudonym and frame; None where the file states no instance.
      position: along its normal, mm; None where it is not stated.
      probability: None where the input gate refused it.
    """

    instance: tuple[str, int] | None
    position: float | None
    probability: float | None


@dataclasses.dataclass
class Totals:
    """What the tables come to.

    Attributes:
      answered: files with an answer.
      again: those of them that were answered before.
      rows: slices and images answered.
      labels: rows by decision; refusals of the input gate by their reason.
      histogram: rows by probability, in `BINS` equal steps.
      quarantine: files by kind and reason.
      studies: their number by decision.
    """

    answered: int = 0
    again: int = 0
    rows: int = 0
    labels: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    histogram: list[int] = dataclasses.field(default_factory=lambda: [0] * BINS)
    quarantine: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    studies: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class Results:
    """Puts the results of one screening together.

    Args:
      info: the model's record.
      settings: of the answers.
      new: folder of the workers' tables.
      before: tables of answers that were given before.
      beside: folder on the same file system for files that are not whole yet.
    """

    def __init__(self, info: ModelInfo, settings: Settings, new: Place, before: Sequence[Place], beside: Place) -> None:
        self._info = info
        self._settings = settings
        self._new = new
        self._before = before
        self._beside = beside
        self._series: dict[str, dict[str, list[Slice]]] = {}
        self._remarks: dict[str, dict[str, None]] = collections.defaultdict(dict)
        self._unread: collections.Counter[str] = collections.Counter()
        self._studies: list[StudyAnswer] = []
        self.totals = Totals()

    def write_answers(self, place: Place) -> None:
        """Writes the answers to all files that are there: the new ones, then those given before.

        Args:
          place: where the table shall be.
        """
        schema = self._settings.into(rows.answers(self._info))

        def content(file: BinaryIO) -> None:
            with pq.ParquetWriter(file, schema) as table:
                for group in _groups(itertools.chain(self._new_answers(schema), self._answers_before(schema))):
                    table.write_table(pa.Table.from_batches(group, schema))
                    for batch in group:
                        self._count(batch)

        places.write(place, self._beside, content)

    def write_quarantine(self, place: Place) -> None:
        """Writes the table of files without an answer."""
        schema = self._settings.into(rows.QUARANTINE)

        def content(file: BinaryIO) -> None:
            with pq.ParquetWriter(file, schema) as table:
                for batch in _batches(tables(self._new, "quarantine")):
                    for row in batch.to_pylist():
                        by_reason = self.totals.quarantine.setdefault(row["kind"], collections.Counter())
                        by_reason[row["reason"]] += 1
                        if row["series"] and row["kind"] == "unreadable":
                            self._unread[row["series"]] += 1
                    table.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))

        places.write(place, self._beside, content)

    def write_studies(self, place: Place) -> None:
        """Writes the answers of studies, of what `write_answers` and `write_quarantine` have seen."""
        schema = self._settings.into(rows.STUDIES)
        for study, of_study in self._series.items():
            answer = studies.answer_study(study, [self._answer(name, found) for name, found in of_study.items()])
            self._studies.append(answer)
            self.totals.studies[answer.label or "no decision"] += 1
        found = [_study_row(answer) for answer in self._studies]
        table = pa.Table.from_pylist(found, schema)
        places.write(place, self._beside, lambda file: pq.write_table(table, file))

    def highest_studies(self, number: int) -> list[StudyAnswer]:
        """Studies with the highest means, highest first.

        Args:
          number: how many at most.
        """
        return sorted(self._studies, key=lambda one: -(one.mean_of_highest or 0.0))[:number]

    def _new_answers(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in _batches(tables(self._new, "answers")):
            self.totals.answered += len(set(batch["path"].to_pylist()))  # a file's rows stand in one table
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    def _answers_before(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Rows of files whose content is known, under the paths that they have now; the first table that has them."""
        wanted: dict[str, list[str]] = {}
        for batch in _batches(tables(self._new, "kept")):
            for sha256, path in zip(batch["sha256"].to_pylist(), batch["path"].to_pylist(), strict=True):
                wanted.setdefault(sha256, []).append(path)
        self.totals.again = sum(map(len, wanted.values()))
        self.totals.answered += self.totals.again
        for place in self._before:
            taken: dict[str, str] = {}  # of copies the first is taken
            for batch, same_key in rows.read_answers(place, self._settings):
                found = []
                for row in batch.to_pylist():
                    sha256 = row["sha256"]
                    if sha256 not in wanted or (row["study"] is not None and not same_key):
                        continue
                    if taken.setdefault(sha256, row["path"]) == row["path"]:
                        found += [row | {"path": path} for path in wanted[sha256]]
                if found:
                    yield pa.RecordBatch.from_pylist(found, schema)
            for sha256 in taken:
                del wanted[sha256]

    def _count(self, batch: pa.RecordBatch) -> None:
        probabilities = batch["probability"].to_numpy(zero_copy_only=False).astype(float)
        counts, _ = np.histogram(probabilities[np.isfinite(probabilities)], BINS, (0, 1))
        self.totals.histogram = (np.array(self.totals.histogram) + counts).tolist()
        self.totals.rows += len(batch)
        self.totals.labels.update(batch["label"].to_pylist())
        columns = ("study", "series", "instance", "frame", "position_mm", "probability", "remarks")
        for row in batch.select(columns).to_pylist():
            if row["study"] is None:
                continue
            instance = (row["instance"], row["frame"]) if row["instance"] else None
            one = Slice(instance, row["position_mm"], row["probability"])
            self._series.setdefault(row["study"], {}).setdefault(row["series"], []).append(one)
            self._remarks[row["series"]] |= dict.fromkeys(row["remarks"] or ())

    def _answer(self, series: str, found: list[Slice]) -> SeriesAnswer:
        """The answer of a series; of copies of an instance the first counts."""
        kept = list({one.instance or object(): one for one in reversed(found)}.values())
        remarks = list(self._remarks[series])
        if copies := len(found) - len(kept):
            remarks.append(f"copies of its images, left out: {copies}")
        positions = sorted(one.position for one in kept if one.position is not None)
        if len(positions) == len(kept):
            remarks += series_lib.spacing_remarks(np.array(positions))
        answers = [one.probability for one in kept]
        return studies.summarise_series(series, len(kept) + self._unread[series], answers, self._info, remarks)


def tables(folder: Place, name: str) -> list[Place]:
    """The workers' tables of one kind, in order of their spans.

    Args:
      folder: of the tables.
      name: `answers`, `quarantine` or `kept`.
    """
    return [folder / file for file in folder.names() if file.startswith(f"{name}-") and file.endswith(".parquet")]


def _batches(found: Sequence[Place]) -> Iterator[pa.RecordBatch]:
    for place in found:
        with place.fs.open(place.path, "rb") as file:
            yield from pq.ParquetFile(file).iter_batches()


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches together until they make a row group worth reading at once."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(map(len, group)) >= _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def _study_row(answer: StudyAnswer) -> Mapping[str, Any]:
    deciding = next(one for one in answer.series if one.series == answer.decided_by)
    remarks = dict.fromkeys(itertools.chain.from_iterable(one.remarks for one in answer.series))
    return {
        "study": answer.study,
        "decided_by": answer.decided_by,
        "series": len(answer.series),
        "slices": deciding.slices,
        "answered": deciding.answered,
        "maximum": answer.maximum,
        "mean_of_highest": answer.mean_of_highest,
        "highest": answer.highest,
        "threshold": answer.threshold,
        "label": answer.label,
        "remarks": list(remarks),
    }
