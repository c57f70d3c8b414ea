"""What a figure was measured on: processor, its instructions, memory, and the versions of what took part."""

import importlib.metadata
import os
import pathlib
import platform
from typing import Any

INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8", "asimd")
PACKAGES = (
    "ctcov",
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "numpy",
    "scikit-learn",
    "opencv-python-headless",
    "torch",
    "openvino",
    "nncf",
    "onnxruntime",
    "albumentations",
    "pillow",
    "fastapi",
    "uvicorn",
)


def facts() -> dict[str, Any]:
    """Processor, instructions that matter here, cores, memory in GB, system, Python and packages that are there."""
    cpu = _proc("cpuinfo")
    flags = cpu.get("flags", cpu.get("Features", "")).split()
    return {
        "processor": cpu.get("model name", platform.processor() or platform.machine()),
        "family_model": "/".join(cpu[name] for name in ("cpu family", "model") if name in cpu),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(_proc("meminfo").get("MemTotal", "0 kB").split()[0]) / 2**20, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _proc(name: str) -> dict[str, str]:
    """The first value of each key in a file of /proc; nothing where there is none."""
    path = pathlib.Path("/proc") / name
    found: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
