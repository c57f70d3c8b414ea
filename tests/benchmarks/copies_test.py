import cv2
import numpy as np

from benchmarks import copies
from ctcov_tf.audit.scan import SIDE
from tests.audit import samples


def test_copies_are_found_until_too_much_is_cut_away():
    originals = np.stack(
        [
            cv2.resize(samples.picture(seed, (160, 160)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            for seed in range(30)
        ]
    )
    groups = np.array([f"p{number}" for number in range(30)])
    assert copies.count(originals, groups, 0.0, np.random.default_rng(0)) == (0.0, 0)
    missed, false = copies.count(originals, groups, 0.4, np.random.default_rng(0))
    assert missed > 0.9
    assert false == 0
