"""`ctcov <command>`: parses and dispatches; each command has its module in `commands`.

What does the work is imported where a command needs it, and the parser is argparse: one that reads signatures takes
more than a quarter of the 0.4 s in which a TFLite file is to be answered.
"""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from ctcov_tf import RESEARCH_USE, errors
from ctcov_tf.commands import (
    ablate,
    ask,
    audit,
    benchmark,
    calibrate,
    card,
    compare,
    convert_efficientnet_lite,
    evaluate,
    explain,
    gate,
    import_torchxrayvision,
    inspect,
    models,
    predict,
    reproduce,
    screen,
    serve,
    ship,
)

COMMANDS = (
    evaluate,
    calibrate,
    gate,
    explain,
    card,
    ship,
    models,
    inspect,
    predict,
    screen,
    benchmark,
    serve,
    ask,
    ablate,
    reproduce,
    compare,
    audit,
    import_torchxrayvision,
    convert_efficientnet_lite,
)
"""In the order of `ctcov --help`."""


class Parser(argparse.ArgumentParser):
    """A parser that complains as all of `ctcov` does: in one line, with the remedy."""

    def error(self, message: str) -> NoReturn:
        """Refuses the command line.

        Raises:
          CtcovError: always.
        """
        raise errors.CtcovError(f"{self.prog}: {message}: see {self.prog} --help")


def parser() -> Parser:
    """The parser of all commands: it gives the arguments of one, and its function as `command`."""
    whole = Parser(
        prog="ctcov",
        description="COVID-19 screening of chest CT images and radiographs. ctcov COMMAND --help explains a command.",
        epilog=RESEARCH_USE,
    )
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        text = module.main.__doc__ or ""
        added = commands.add_parser(name, help=text.splitlines()[0], description=text)
        added.set_defaults(command=module.main)
        module.add_arguments(added)
    return whole


@errors.exit_cleanly
def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script.

    Args:
      arguments: command line without the program's name; that of the process if None.

    Returns:
      The command's exit code.
    """
    given = vars(parser().parse_args(arguments))
    return given.pop("command")(**given)
