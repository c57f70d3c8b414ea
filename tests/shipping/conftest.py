"""A small model that ships: made from a tiny trained network."""

import shutil

import pytest

from tests.export.conftest import trained_run  # noqa: F401
from tests.serving.conftest import rows  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def large_kernels():
    """Some kernels of the tiny network count as large, so that they are rounded."""
    from ctcov_tf.shipping import half_precision

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(half_precision, "SMALL", 2000)
        yield


@pytest.fixture(scope="session")
def finished_run(trained_run, once):  # noqa: F811
    """The tiny run calibrated, evaluated and with a card."""
    from ctcov_tf import run_directory
    from ctcov_tf.card import write as card_lib
    from ctcov_tf.evaluation import calibrate, protocols

    def finish(path):
        shutil.copytree(trained_run.path, path, dirs_exist_ok=True)
        run = run_directory.load(path)
        calibrate.calibrate(run)
        protocols.evaluate(run, reason="a test of shipping", explain=False)
        card_lib.write(run, run.cards)

    return run_directory.load(once("finished_run", finish))


@pytest.fixture(scope="session")
def small_model(finished_run, once):
    """The shipped model."""
    from ctcov_tf import shipped
    from ctcov_tf.shipping import ship

    name = "tiny-20260131"
    return shipped.read(once("small_model", lambda folder: ship.ship(finished_run, folder / name)) / name)
