"""Trains a preset: python train.py PRESET [--run-dir DIR] [flags], or python train.py --resume DIR."""

from ctcov_tf.training.command import main

if __name__ == "__main__":
    main()
