"""Keeps what TensorFlow prints while it loads from the user's terminal; for commands, not for the library."""

import os


def load_quietly() -> None:
    """Imports TensorFlow without its notes on stderr.

    Its C++ libraries write about oneDNN and missing GPUs before they read any log level, so stderr itself is
    set aside while they load; an error in loading is a Python exception and still shows. Later C++ messages
    below a fatal error, and TensorFlow Datasets' notes to its own developers, are left out unless
    TF_CPP_MIN_LOG_LEVEL says otherwise. So are TensorFlow's own warnings, such as that a function is traced again.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import absl.logging
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
    absl.logging.set_verbosity(absl.logging.ERROR)
    tf.get_logger().setLevel("ERROR")
