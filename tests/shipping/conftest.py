"""A small model that ships: made from a tiny network trained for seconds."""

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
def finished_run(trained_run, tmp_path_factory: pytest.TempPathFactory):  # noqa: F811
    """The tiny run calibrated, evaluated and with a card."""
    from ctcov_tf import run_directory
    from ctcov_tf.card import write as card_lib
    from ctcov_tf.evaluation import calibrate, protocols

    path = tmp_path_factory.mktemp("finished") / "run"
    shutil.copytree(trained_run.path, path)
    run = run_directory.load(path)
    calibrate.calibrate(run)
    protocols.evaluate(run, reason="a test of shipping", explain=False)
    card_lib.write(run, run.cards)
    return run


@pytest.fixture(scope="session")
def small_model(finished_run, tmp_path_factory: pytest.TempPathFactory):
    """The shipped model."""
    from ctcov_tf.shipping import ship

    return ship.ship(finished_run, tmp_path_factory.mktemp("weights") / "tiny-20260131")
