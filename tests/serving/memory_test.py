import pathlib
import platform
import resource

import pytest

from ctcov_tf.serving import memory


def resident():
    """Bytes."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_is_free_goes_back_to_the_system(monkeypatch):
    monkeypatch.setattr(memory, "_SECONDS", -1.0)
    leftovers = memory.Leftovers()
    blocks = [bytearray(100_000) for _ in range(500)]
    kept = blocks[::50]
    before = resident()
    del blocks
    leftovers.give_back()
    assert len(kept) == 10
    assert resident() < before - 30_000_000


def test_it_is_not_done_again_and_again(monkeypatch):
    leftovers = memory.Leftovers()
    done = []
    monkeypatch.setattr(leftovers, "_trim", done.append)
    for _ in range(10):
        leftovers.give_back()
    assert len(done) <= 1
