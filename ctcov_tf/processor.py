"""The processor: what it has instructions for, and who may use it."""

import os
import pathlib

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")  # as Linux lists a processor's instructions


def bfloat16_instructions() -> list[str]:
    """The processor's flags for bfloat16 arithmetic, as Linux lists them; none elsewhere."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    words = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return sorted(set(BFLOAT16_FLAGS) & set(words))


def leave_to_the_model() -> None:
    """Keeps numpy, not yet imported, from starting a thread a processor for products of matrices: none are asked for.

    These threads wait in a busy loop, beside the imports and the model's own threads.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
