"""Which findings a synthetic chest radiograph shows, and what its report says of them.

The order is that of the label list used throughout; the first five are the competition findings of CheXpert (Irvin et
al., 2019). Rates and co-occurrence are invented, of a plausible direction only: a failing heart raises cardiomegaly,
edema and effusion together, and an infection brings consolidation, effusion and collapse with it.
"""

from collections.abc import Set

import numpy as np

FINDINGS = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural_effusion", "pneumonia")
STATES = ("negative", "positive", "uncertain", "unmentioned")
UNCERTAIN, UNMENTIONED = 0.08, 0.12  # shares of the recorded states

_HEART_FAILURE = 0.30
_CARDIOMEGALY = (0.12, 0.75)  # without and with heart failure
_EDEMA = (0.05, 0.65)
_EFFUSION = (0.14, 0.45)
_EFFUSION_OF_PNEUMONIA = 0.12  # added
_ATELECTASIS = (0.20, 0.35)  # without and with an effusion
_CONSOLIDATION = {"covid19": 0.25, "other_pneumonia": 0.65}  # never without pneumonia: there it would pass for one


def draw(label: str, rng: np.random.Generator) -> frozenset[str]:
    """Draws the findings that are truly there.

    Args:
      label: `covid19`, `other_pneumonia` or `normal`; the first two imply the finding `pneumonia`, the last
        excludes it, and only the first two can come with `consolidation`.
      rng: the patient's randomness; the same number of draws whatever the label.

    Returns:
      The positive ones of `FINDINGS`.
    """
    failing, cardiomegaly, consolidation, edema, effusion, atelectasis = rng.random(6)
    heart = int(failing < _HEART_FAILURE)
    fluid = effusion < _EFFUSION[heart] + _EFFUSION_OF_PNEUMONIA * (label == "other_pneumonia")
    present = {
        "atelectasis": atelectasis < _ATELECTASIS[int(fluid)],
        "cardiomegaly": cardiomegaly < _CARDIOMEGALY[heart],
        "consolidation": consolidation < _CONSOLIDATION.get(label, 0),
        "edema": edema < _EDEMA[heart],
        "pleural_effusion": fluid,
        "pneumonia": label != "normal",
    }
    return frozenset(finding for finding in FINDINGS if present[finding])


def record(present: Set[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Returns the state of each finding as a report would give it: some hedged, some left out, whatever the truth.

    Args:
      present: the positive ones of `FINDINGS`.
      rng: randomness of this report only.

    Returns:
      One of `STATES` for each of `FINDINGS`, in their order.
    """
    states = []
    for finding, chance in zip(FINDINGS, rng.random(len(FINDINGS)), strict=True):
        if chance < UNCERTAIN:
            states.append("uncertain")
        elif chance < UNCERTAIN + UNMENTIONED:
            states.append("unmentioned")
        else:
            states.append("positive" if finding in present else "negative")
    return tuple(states)
