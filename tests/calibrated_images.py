"""Images with calibrated probabilities, and what a run chose on validation, before and after it knew temperatures."""

import numpy as np
import pandas as pd

OLD = {"threshold": 0.4, "threshold_rule": "Youden's J on validation", "split": "validation", "images": 60}
RATE = {"value": 0.9, "low": 0.8, "high": 0.95}
NEW = OLD | {
    "temperature": 2.0,
    "operating_points": [
        {"name": "sensitivity_0.95", "threshold": 0.2, "rule": "sensitivity 0.95 on validation"}
        | {"sensitivity": RATE, "specificity": RATE},
        {"name": "youden", "threshold": 0.4, "rule": "Youden's J on validation"}
        | {"sensitivity": RATE, "specificity": RATE},
    ],
}


def draw(images=400, seed=0):
    """Calibrated probabilities, and in `uncalibrated` twice as extreme ones."""
    generator = np.random.default_rng(seed)
    probability = generator.beta(1.2, 1.8, images)
    logits = np.log(probability / (1 - probability))
    return pd.DataFrame(
        {
            "target": (generator.random(images) < probability).astype(int),
            "probability": probability,
            "uncalibrated": 1 / (1 + np.exp(-2 * logits)),
            "group_id": generator.integers(0, images // 2, images).astype(str),
        }
    )
