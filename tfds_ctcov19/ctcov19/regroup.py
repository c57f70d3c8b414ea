"""A seeded new split of CT-COV19 that keeps together what may be one patient.

Numbered folders of `FILE001<k>.jpg` look like one series each and stay whole. The rest are batches of many patients
without any patient id: `pos_<n>.png`, `neg_<n>.png`, `pneu_<n>.png`. Neighbouring numbers are often neighbouring
slices, so runs of consecutive numbers stand in for patients; the same number in two folders falls into one run.
"""

from collections.abc import Iterable, Mapping
import dataclasses
import itertools
import re

import numpy as np

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
    regrouped = _with_runs(list(records))
    splits: dict[str, str] = {}
    for label in sorted({record.label for record in regrouped}):
        sizes: dict[str, int] = {}
        for record in regrouped:
            if record.label == label:
                sizes[record.group_id] = sizes.get(record.group_id, 0) + 1
        splits |= assign(sizes, RATIOS, np.random.default_rng((SEED, sum(sizes.values()))))
    return [dataclasses.replace(record, split=splits[record.group_id]) for record in regrouped]


def assign(sizes: Mapping[str, int], ratios: Mapping[str, float], rng: np.random.Generator) -> dict[str, str]:
    """Assigns whole groups to splits: the largest first, each to the split that lacks most.

    Args:
      sizes: images in each group.
      ratios: share of the images that each split should get.
      rng: decides among groups of the same size.

    Returns:
      The split of each group. With at least as many groups as splits no split stays empty.
    """
    lacking = {split: ratio * sum(sizes.values()) for split, ratio in ratios.items()}
    splits = {}
    order = sorted(sizes)
    rng.shuffle(order)
    for group in sorted(order, key=lambda group: -sizes[group]):
        splits[group] = max(lacking, key=lambda split: lacking[split])
        lacking[splits[group]] -= sizes[group]
    for split in ratios:
        if split not in splits.values() and len(sizes) >= len(ratios):
            counts = {other: list(splits.values()).count(other) for other in ratios}
            richest = max(counts, key=lambda other: counts[other])
            splits[min((g for g in splits if splits[g] == richest), key=lambda g: (sizes[g], g))] = split
    return splits


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
