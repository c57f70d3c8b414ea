import numpy as np
import pytest

from ctcov_tf.audit import views

THUMBNAILS = np.random.default_rng(0).integers(0, 256, (5, 128, 128), dtype=np.uint8)


@pytest.mark.parametrize(("name", "share"), [("border", 1 / 16), ("masked_centre", 0.15)])
def test_nothing_behind_the_mask_is_seen(name, share):
    rim = round(128 * share)
    inside = THUMBNAILS.copy()
    inside[:, rim + 4 : -rim - 4, rim + 4 : -rim - 4] = 0
    np.testing.assert_array_equal(views.features(name, inside), views.features(name, THUMBNAILS))
    outside = THUMBNAILS.copy()
    outside[:, : rim // 2] = 0
    assert (views.features(name, outside) != views.features(name, THUMBNAILS)).any()


def test_features_are_means_of_cells():
    seen = views.features("thumbnail", THUMBNAILS)
    assert seen.shape == (5, 256)
    assert seen.dtype == np.uint8
    assert seen[2, 17] == round(THUMBNAILS[2, 8:16, 8:16].mean())
    assert views.features("border", THUMBNAILS).shape == (5, 32**2 - 28**2)
    assert views.features("masked_centre", THUMBNAILS).shape == (5, 32**2 - 22**2)


def test_a_picture_shows_what_is_seen_and_hides_the_rest():
    for name in views.NAMES:
        shown = views.picture(name, THUMBNAILS[0])
        cells = views.shown(name)
        cell = len(shown) // len(cells)
        levels = shown[cell // 2 :: cell, cell // 2 :: cell]
        np.testing.assert_array_equal(levels[cells], views.features(name, THUMBNAILS[:1])[0])
        assert (levels[~cells] == 128).all()
