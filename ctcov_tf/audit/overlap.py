"""Groups, which are patients, series or batches, that stand in more than one part."""

import itertools
from typing import Any

import pandas as pd


def overlaps(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Groups that two parts share.

    Args:
      table: `split`, `group` of each image; an empty group is none.

    Returns:
      For every two parts that share groups: `parts`, `groups` (their number), `images` (of these groups, in each of
      the two parts) and `examples` (some of their names).
    """
    told = table[table["group"] != ""]
    by_part = {str(part): set(rows["group"]) for part, rows in told.groupby("split", sort=False)}
    found = []
    for one, other in itertools.combinations(by_part, 2):
        shared = by_part[one] & by_part[other]
        if shared:
            theirs = told[told["group"].isin(shared)]["split"].value_counts()
            found.append(
                {
                    "parts": [one, other],
                    "groups": len(shared),
                    "images": [int(theirs[one]), int(theirs[other])],
                    "examples": sorted(map(str, shared))[:3],
                }
            )
    return found
