import pytest
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.training import precision


@pytest.fixture
def machine(monkeypatch):
    def has(flags=(), gpus=()):
        monkeypatch.setattr(precision, "bfloat16_instructions", lambda: list(flags))
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: list(gpus))

    return has


@pytest.mark.parametrize(
    ("flags", "gpus", "chosen"),
    [((), (), "float32"), (("amx_bf16",), (), "mixed_bfloat16"), ((), ("GPU:0",), "mixed_bfloat16")],
)
def test_auto_follows_the_machine(machine, flags, gpus, chosen):
    machine(flags, gpus)
    assert precision.resolve("auto") == chosen


def test_emulated_bfloat16_is_warned_of(machine):
    machine()
    with pytest.warns(UserWarning, match="no bfloat16 instructions"):
        assert precision.resolve("mixed_bfloat16") == "mixed_bfloat16"


def test_float16_needs_a_gpu(machine):
    machine(("amx_bf16",))
    with pytest.raises(errors.CtcovError, match=r"mixed_float16: takes minutes .*: use --precision auto"):
        precision.resolve("mixed_float16")
    machine(gpus=("GPU:0",))
    assert precision.resolve("mixed_float16") == "mixed_float16"
