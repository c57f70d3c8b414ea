"""Which arithmetic trains fastest here, and which would not train at all."""

from typing import Literal
import warnings

import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import Precision
from ctcov_tf.processor import bfloat16_instructions


def resolve(precision: Precision) -> Literal["float32", "mixed_bfloat16", "mixed_float16"]:
    """The policy to train under.

    Args:
      precision: as configured; `auto` is bfloat16 where the processor has instructions for it or a GPU
        is there, else float32.

    Returns:
      The name of the Keras policy. Warns where bfloat16 has to be emulated, which takes about twice as
      long as float32.

    Raises:
      CtcovError: mixed_float16 without a GPU, where a step takes minutes.
    """
    gpu = bool(tf.config.list_physical_devices("GPU"))
    fast_bfloat16 = gpu or bool(bfloat16_instructions())
    if precision == "auto":
        return "mixed_bfloat16" if fast_bfloat16 else "float32"
    if precision == "mixed_float16" and not gpu:
        raise errors.CtcovError("--precision mixed_float16: takes minutes a step without a GPU: use --precision auto")
    if precision == "mixed_bfloat16" and not fast_bfloat16:
        warnings.warn(
            "this processor has no bfloat16 instructions: mixed_bfloat16 is emulated and slower than float32",
            stacklevel=2,
        )
    return precision
