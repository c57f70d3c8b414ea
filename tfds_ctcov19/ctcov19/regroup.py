"""A seeded new split of CT-COV19 that keeps together what may be one patient.

Numbered folders of `FILE001<k>.jpg` look like one series each and stay whole. The rest are batches of many patients
without any patient id: `pos_<n>.png`, `neg_<n>.png`, `pneu_<n>.png`. Neighbouring numbers are often neighbouring
slices, so runs of consecutive numbers stand in for patients; the same number in two folders falls into one run.
"""

from collections.abc import Iterable, Mapping
import dataclasses
import itertools
import re

from tfds_ctcov19 import group_splits
from tfds_ctcov19.records import Record

SEED = 0
RATIOS = {"train": 0.72, "validation": 0.08, "test": 0.20}  # Table II of the paper, by part
LONGEST_RUN = 40  # images; a run without gaps is cut here, so that a class never is one single group

_SERIES = re.compile(r"FILE\d+")
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)")


def regroup(records: Iterable[Record]) -> list[Record]:
    """Gives every image its series or run as group, and every group a split, class by class.

    Args:
      records: the images as released.

    Returns:
      The same images with new `group_id` and `split`; the order is kept.
    """
    return group_splits.split(_with_runs(list(records)), RATIOS, SEED)


def _with_runs(records: list[Record]) -> list[Record]:
    numbered: dict[tuple[str, str], dict[int, list[int]]] = {}
    for index, record in enumerate(records):
        match = _NUMBERED.fullmatch(record.path.stem)
        if match and not _SERIES.fullmatch(record.path.stem):
            pool = numbered.setdefault((record.label, match["prefix"]), {})
            pool.setdefault(int(match["number"]), []).append(index)
    for (label, prefix), pool in numbered.items():
        for run in _runs({number: len(indices) for number, indices in pool.items()}):
            for index in itertools.chain.from_iterable(pool[number] for number in run):
                group = f"{label}/{prefix}{run[0]}-{run[-1]}"
                records[index] = dataclasses.replace(records[index], group_id=group)
    return records


def _runs(images: Mapping[int, int]) -> Iterable[list[int]]:
    """Yields runs of consecutive numbers that together have at most `LONGEST_RUN` images."""
    run: list[int] = []
    for number in sorted(images):
        full = sum(images[other] for other in run) + images[number] > LONGEST_RUN
        if run and (number != run[-1] + 1 or full):
            yield run
            run = []
        run.append(number)
    if run:
        yield run
