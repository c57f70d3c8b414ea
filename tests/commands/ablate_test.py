import pathlib

from ctcov_tf import cli
from ctcov_tf.commands import ablate


def test_names_follow_a_flag_until_the_next():
    parsed = cli.parser().parse_args(["ablate", "x", "--parts", "none", "both", "--out", "out", "--epochs", "3"])
    assert parsed.command is ablate.main
    assert (parsed.preset, parsed.parts, parsed.out) == ("x", ["none", "both"], pathlib.Path("out"))
    assert (parsed.epochs, parsed.seed) == (3, None)
