import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def forget_networks():
    """Networks of full size go when the file that built them ends: they are cyclic, and no garbage seems due."""
    yield
    gc.collect()
