"""Answers one image again and again, and prints what each answer took: a process that does nothing else.

    python -m ctcov_tf.edge.timed_answers MODEL THREADS ROUNDS IMAGE_SIZE

Lines: `answered` once the first answer is there, the seconds of every further one, then `megabytes` and the largest
memory of the process, where the system tells it.
"""

import pathlib
import re
import sys
import time

import numpy as np

from ctcov_tf import errors
from ctcov_tf.edge.runner import EdgeModel

_STATUS = pathlib.Path("/proc/self/status")


@errors.exit_cleanly
def main(model: str, threads: str, rounds: str, image_size: str) -> None:
    """Prints the lines.

    Args:
      model: the `.tflite` file.
      threads: threads of LiteRT.
      rounds: answers to time, the first one not counted.
      image_size: side of the image, pixels; it is noise.
    """
    side = int(image_size)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    answer = EdgeModel(model, int(threads))
    answer(image)
    print("answered", flush=True)
    for _ in range(int(rounds)):
        start = time.perf_counter()
        answer(image)
        print(time.perf_counter() - start, flush=True)
    if _STATUS.is_file() and (peak := re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())):
        print("megabytes", int(peak[1]) / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
