"""`train.py`: parses a preset and its flags, trains, and chooses the threshold."""

from collections.abc import Iterator
import contextlib
import dataclasses
import pathlib
import sys
from typing import Annotated

import tyro

from ctcov_tf import RESEARCH_USE, configs, errors, interruption, locks, run_directory, tensorflow_log
from ctcov_tf.config import Config

_USAGE = """usage: python train.py PRESET [--run-dir DIR] [flags]
       python train.py --resume DIR

Trains a preset into a run directory; --resume goes on with one that was interrupted.
python train.py PRESET --help shows every flag with the preset's value.

presets:
{presets}

{notice}"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What a training command says beside the preset."""

    config: Config
    run_dir: pathlib.Path | None = None
    """Folder to make for the run; runs/PRESET if not given."""


def parse(preset: str, arguments: list[str]) -> tuple[Config, pathlib.Path]:
    """Reads the flags of a training command.

    Args:
      preset: name of the preset whose values the flags change.
      arguments: the flags.

    Returns:
      The resolved configuration and the run directory's path.

    Raises:
      CtcovError: there is no such preset.
      SystemExit: with code 0 after --help, with code 2 on a flag that does not parse.
    """
    parsed = tyro.cli(
        Annotated[Arguments, tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands],
        args=arguments,
        default=Arguments(configs.load(preset)),
        prog=f"train.py {preset}",
        description=configs.describe(preset),
    )
    return parsed.config, parsed.run_dir or pathlib.Path("runs") / preset


@errors.exit_cleanly
def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
      arguments: command line without the program's name; that of the process if None.

    Returns:
      Exit code: 0, or 130 after Ctrl-C and 143 after SIGTERM, with a usable run directory.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        lines = "\n".join(f"  {name:<20} {configs.describe(name)}" for name in configs.names())
        print(_USAGE.format(presets=lines, notice=RESEARCH_USE))
        return 0
    if arguments[0] == "--resume":
        if len(arguments) != 2:
            raise errors.CtcovError("--resume: takes one run directory and no other flag: the run holds its settings")
        run = run_directory.load_any(arguments[1])
        if run.finished:
            raise errors.CtcovError(f"{run.path}: is finished: train a new run to change it")
        _join(run.config)
        with _alone(run.config, run.path):
            return _train(run)
    else:
        config, path = parse(arguments[0], arguments[1:])
        _join(config)
        from ctcov_tf.training import train

        with _alone(config, path):
            return _train(train.create_run(arguments[0], config, path))


def _join(config: Config) -> None:
    """Loads TensorFlow, and makes the strategy before anything is computed."""
    tensorflow_log.load_quietly()
    from ctcov_tf.training import distribution

    distribution.strategy(config.train.distribution_strategy)


@contextlib.contextmanager
def _alone(config: Config, path: pathlib.Path) -> Iterator[None]:
    """Holds the run directory against other trainings; of several workers the chief does."""
    from ctcov_tf.training import distribution

    if distribution.task(config.train.distribution_strategy).chief:
        with locks.held(path, "trained into"):
            yield
    else:
        yield


def _train(run: run_directory.RunDirectory) -> int:
    from ctcov_tf.evaluation import calibrate
    from ctcov_tf.training import distribution, train

    print(f"run directory {run.path}: {run.preset} on {run.trained_on}")
    finished = train.train(run)
    strategy = run.config.train.distribution_strategy
    if not distribution.task(strategy).chief:
        distribution.leave(strategy, 0 if finished else interruption.exit_code())
    if not finished:
        print(f"\ninterrupted: kept the best epoch so far; go on with python train.py --resume {run.path}")
        return interruption.exit_code()
    if run.pretraining:
        print(f"next: python train.py PRESET --init-from {run.path}")
    else:
        print(calibrate.table(calibrate.calibrate(run)))
        print(f"next: ctcov evaluate {run.path}    python export.py {run.path} --out exports")
    print(RESEARCH_USE)
    distribution.leave(strategy, 0)
    return 0
