"""What a run records of the software that made it."""

import importlib.metadata
import platform

from ctcov_tf import __version__

_PACKAGES = ("tensorflow", "keras", "tensorflow-datasets", "numpy", "opencv-python-headless", "scikit-learn")


def versions() -> dict[str, str]:
    """Version of ctcov, of Python and of the packages that decide a result."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"ctcov": __version__, "python": platform.python_version(), **packages}
