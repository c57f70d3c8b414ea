"""Speed and memory, measured: one file a question, each run as `python -m benchmarks.NAME`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is loaded
