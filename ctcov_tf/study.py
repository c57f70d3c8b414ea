"""From the probabilities of slices to one answer for their study."""

from collections.abc import Iterable
import dataclasses
from typing import Any

import numpy as np

DEFAULT_HIGHEST = 3
"""Slices whose mean is reported for models that have no rule of their own: few enough that a small lesion counts, and
more than the one slice that an artefact spoils."""


@dataclasses.dataclass(frozen=True)
class StudyRule:
    """How a study is decided; chosen on groups of validation images.

    Attributes:
      highest: how many of the highest probabilities are averaged.
      threshold: mean at and above which the decision is positive.
      rule: how both were chosen.
      groups: validation groups that they were chosen on.
      largest_group: images of the largest of these groups.
    """

    highest: int
    threshold: float
    rule: str
    groups: int
    largest_group: int

    @classmethod
    def from_dict(cls, content: dict[str, Any] | None) -> "StudyRule | None":
        """Reads what `dataclasses.asdict` made of it; None of None."""
        return cls(**content) if content else None


def mean_of_highest(probabilities: Iterable[float], highest: int) -> float:
    """Mean of the highest probabilities: of all, where there are fewer.

    Args:
      probabilities: of the positive class, one a slice, at least one.
      highest: how many to average, at least 1; 1 gives the maximum.

    Returns:
      The mean, in [0, 1].
    """
    return float(np.mean(np.sort(np.fromiter(probabilities, float))[-highest:]))
