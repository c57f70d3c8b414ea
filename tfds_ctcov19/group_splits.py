"""Seeded splits that keep groups whole."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
import dataclasses

import numpy as np

from tfds_ctcov19.records import Record


def split(
    records: Iterable[Record],
    ratios: Mapping[str, float],
    seed: int,
    *,
    unit: Callable[[Record], str] = lambda record: record.group_id,
    stratum: Callable[[Record], Hashable] = lambda record: record.label,
) -> list[Record]:
    """Gives every image a split, unit by unit and stratum by stratum.

    A unit that holds images of two strata belongs to a stratum of its own, that of both.

    Args:
      records: the images.
      ratios: share of the images of each stratum that each split should get.
      seed: of the order in which units are drawn.
      unit: what must not be split; by default the group.
      stratum: in what the splits should be alike; by default the class.

    Returns:
      The same images in the same order with their `split`; it does not depend on that order.
    """
    records = list(records)
    sizes = Counter(unit(record) for record in records)
    strata: dict[str, set[Hashable]] = {}
    for record in records:
        strata.setdefault(unit(record), set()).add(stratum(record))
    members: dict[frozenset[Hashable], dict[str, int]] = {}
    for name, found in strata.items():
        members.setdefault(frozenset(found), {})[name] = sizes[name]
    splits: dict[str, str] = {}
    for of_stratum in members.values():
        splits |= assign(of_stratum, ratios, np.random.default_rng((seed, sum(of_stratum.values()))))
    return [dataclasses.replace(record, split=splits[unit(record)]) for record in records]


def as_listed(
    records: list[Record],
    ratios: Mapping[str, float],
    seed: int,
    *,
    stratum: Callable[[Record], Hashable] = lambda record: record.label,
) -> list[Record]:
    """Keeps the splits that a table gives to every image, or gives splits where it does not.

    Args:
      records: the images.
      ratios: share of the images that each split should get.
      seed: of the order in which groups are drawn.
      stratum: in what the splits should be alike.

    Returns:
      The images with their splits, as `split` returns them.
    """
    if all(record.split for record in records):
        return records
    return split(records, ratios, seed, stratum=stratum)


def assign(sizes: Mapping[str, int], ratios: Mapping[str, float], rng: np.random.Generator) -> dict[str, str]:
    """Assigns whole groups to splits: in random order, each to the split that lacks most.

    The largest first would come nearer to the ratios, but then the training part gets all patients with many images.

    Args:
      sizes: images in each group.
      ratios: share of the images that each split should get.
      rng: shuffles the groups.

    Returns:
      The split of each group. With at least as many groups as splits no split stays empty.
    """
    lacking = {split: ratio * sum(sizes.values()) for split, ratio in ratios.items()}
    splits = {}
    order = sorted(sizes)
    rng.shuffle(order)
    for group in order:
        splits[group] = max(lacking, key=lambda split: lacking[split])
        lacking[splits[group]] -= sizes[group]
    for split in ratios:
        if split not in splits.values() and len(sizes) >= len(ratios):
            counts = {other: list(splits.values()).count(other) for other in ratios}
            richest = max(counts, key=lambda other: counts[other])
            splits[min((g for g in splits if splits[g] == richest), key=lambda g: (sizes[g], g))] = split
    return splits
