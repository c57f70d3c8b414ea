"""Trains a run on two CPU devices of one process; run by `distribution_test.py`.

python -m tests.training.two_devices RUN
"""

import sys

from ctcov_tf import run_directory, tensorflow_log


def main() -> None:
    tensorflow_log.load_quietly()
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from ctcov_tf.training import train

    assert train.train(run_directory.load(sys.argv[1]))


if __name__ == "__main__":
    main()
