import numpy as np
import pytest

from ctcov_tf.audit import views
from ctcov_tf.images import masks

THUMBNAILS = np.random.default_rng(0).integers(0, 256, (5, 128, 128), dtype=np.uint8)


@pytest.mark.parametrize(("name", "mask"), [("border", masks.border_only), ("masked_centre", masks.centre_masked)])
def test_what_is_seen_is_what_the_controls_of_an_evaluation_keep(name, mask):
    kept = mask(np.ones(THUMBNAILS.shape[1:], np.uint8)).astype(bool)
    hidden_changed = np.where(kept, THUMBNAILS, 0)
    np.testing.assert_array_equal(views.features(name, hidden_changed), views.features(name, THUMBNAILS))
    for row, column in zip(*np.nonzero(kept), strict=True):
        if row % 4 == column % 4 == 0:  # one pixel of each cell
            changed = THUMBNAILS[:1].copy()
            changed[0, row : row + 4, column : column + 4] = 0
            assert (views.features(name, changed) != views.features(name, THUMBNAILS[:1])).any()


def test_features_are_means_of_cells():
    seen = views.features("thumbnail", THUMBNAILS)
    assert seen.shape == (5, 256)
    assert seen.dtype == np.uint8
    assert seen[2, 17] == round(THUMBNAILS[2, 8:16, 8:16].mean())
    assert views.features("border", THUMBNAILS).shape == (5, 32**2 - 28**2)
    assert views.features("masked_centre", THUMBNAILS).shape == (5, 32**2 - 24**2)


def test_a_picture_shows_what_is_seen_and_hides_the_rest():
    for name in views.NAMES:
        shown = views.picture(name, THUMBNAILS[0])
        cells = views.shown(name)
        cell = len(shown) // len(cells)
        levels = shown[cell // 2 :: cell, cell // 2 :: cell]
        np.testing.assert_array_equal(levels[cells], views.features(name, THUMBNAILS[:1])[0])
        assert (levels[~cells] == 128).all()
