"""Runs a measurement in a process of its own: its memory is its own, and given back when it ends."""

from collections.abc import Callable
import concurrent.futures
import multiprocessing
from typing import Any


def run(measure: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a new Python process.

    Args:
      measure: a function of a module.
      *arguments: what it takes.

    Returns:
      What it returns.
    """
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(measure, *arguments).result()
