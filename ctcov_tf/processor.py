"""What the processor has instructions for."""

import pathlib

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")  # as Linux lists a processor's instructions


def bfloat16_instructions() -> list[str]:
    """The processor's flags for bfloat16 arithmetic, as Linux lists them; none elsewhere."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    words = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return sorted(set(BFLOAT16_FLAGS) & set(words))
