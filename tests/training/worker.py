"""One of several processes that train a run together; run by `distribution_test.py`.

    python -m tests.training.worker RUN OUT

Trains the run, and writes every weight of its own copy of the network to OUT, beside the images that it was given.
"""

import pathlib
import sys

import numpy as np

from ctcov_tf import errors, run_directory, tensorflow_log


@errors.exit_cleanly
def main() -> int:
    run = run_directory.load(sys.argv[1])
    tensorflow_log.load_quietly()
    from ctcov_tf.training import distribution, stage, train

    distribution.strategy(run.config.train.distribution_strategy)
    original = stage.train
    trained = []

    def train_stage(*arguments):
        trained.append(original(*arguments))
        return trained[-1]

    stage.train = train_stage
    train.train(run)
    weights = {variable.path.replace("/", "."): variable.numpy() for variable in trained[-1].weights}
    np.savez(pathlib.Path(sys.argv[2]), allow_pickle=False, **weights)
    distribution.leave(run.config.train.distribution_strategy, 0)
    return 0


if __name__ == "__main__":
    main()
