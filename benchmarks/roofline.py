"""What the processor can do at best: arithmetic of large matrix products and bandwidth of memory, measured.

    python -m benchmarks.roofline

The share of it that a step or an answer reaches says how much there is left to gain.
"""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import timing

MATRIX = 4096  # side
COPIED_BYTES = 2**29  # more than any cache holds
ROUNDS = 7


def threads() -> int:
    """Processors that this process may use: what every contestant gets."""
    return len(os.sched_getaffinity(0))


def measure() -> dict[str, Any]:
    """Best of `ROUNDS` with all threads.

    Returns:
      `gflops` of a matrix product by dtype, and `bandwidth_gb_s` of a copy, reads and writes counted.
    """
    contestants: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    values = rng.normal(size=(MATRIX, MATRIX)).astype(np.float32)
    for dtype in ("float32", "bfloat16"):
        matrix = tf.constant(values, dtype)
        contestants[dtype] = lambda matrix=matrix: tf.matmul(matrix, matrix).numpy().shape
    source = tf.zeros([COPIED_BYTES // 4])
    add = tf.function(lambda array: array + 1.0)
    contestants["copy"] = lambda: add(source)[0].numpy()
    seconds = timing.in_turns(contestants, ROUNDS)
    flop = 2 * MATRIX**3
    return {
        "gflops": {dtype: round(flop / min(seconds[dtype]) / 1e9) for dtype in ("float32", "bfloat16")},
        "bandwidth_gb_s": round(2 * COPIED_BYTES / min(seconds["copy"]) / 1e9, 1),
    }


if __name__ == "__main__":
    print(measure())
