"""Presets: one file each, whose `get_config()` builds a `Config`."""

import difflib
import importlib
import pkgutil

from ctcov_tf import errors
from ctcov_tf.config import Config


def names() -> list[str]:
    """Every preset's name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Config:
    """The configuration of a preset.

    Args:
      name: one of `names()`.

    Raises:
      CtcovError: there is no such preset; names those that exist.
    """
    return _module(name).get_config()


def describe(name: str) -> str:
    """First line of a preset's docstring: what it trains."""
    return (_module(name).__doc__ or "").splitlines()[0]


def _module(name: str):
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise errors.CtcovError(f"no preset {name!r}{guess}: choose from {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")
