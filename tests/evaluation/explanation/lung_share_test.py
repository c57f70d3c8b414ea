import numpy as np
import pytest

from ctcov_tf.evaluation.explanation import lung_share
from tfds_ctcov19.phantom import scanner

CT = "covid_ct/conflicts_dropped:1.0.0"


def phantoms(number, side):
    """Lungs of slices through the upper half of the chest."""
    indices = [index for index in range(20) if index % scanner.SLICES_PER_PATIENT < 2][:number]
    return lung_share.find_lungs([scanner.scan(index, (160, 200)).image for index in indices], side)


def test_a_map_wholly_inside_counts_whole():
    masks = phantoms(6, 64)
    assert all(mask is not None and mask.shape == (64, 64) for mask in masks)
    inside = np.stack(masks).astype(np.float32)
    groups = list("abcdef")
    found = lung_share.check(inside, masks, groups, CT)
    assert (found["share"]["value"], found["share"]["low"]) == (1, 1)
    assert found["difference"]["low"] > 0.3
    assert lung_share.check(1 - inside, masks, groups, CT)["share"]["value"] == 0


def test_a_uniform_map_gives_the_share_of_area():
    masks = phantoms(6, 64)
    found = lung_share.check(np.ones((6, 4, 4), np.float32), masks, list("abcdef"), CT)
    assert found["share"]["value"] == pytest.approx(found["area"]["value"])
    assert found["difference"]["value"] == pytest.approx(0, abs=1e-6)
    assert 0.1 < found["area"]["value"] < 0.6


def test_images_without_lungs_do_not_count():
    masks = phantoms(2, 64)
    maps = np.ones((3, 4, 4), np.float32)
    found = lung_share.check(maps, [masks[0], None, masks[1]], ["a", "b", "b"], CT)
    assert (found["images"], found["groups"], found["without_lungs"]) == (2, 2, 1)
    assert lung_share.check(maps, [None] * 3, list("aab"), CT) == {
        "left_out": "no plausible lungs were found in any of 3 images"
    }


@pytest.mark.parametrize("dataset", ["covid_cxr/by_patient:1.0.0", "phantom/cxr_tiny:1.0.0", "chexpert:3.1.0", "mine"])
def test_radiographs_and_unknown_pictures_are_refused(dataset):
    found = lung_share.check(np.ones((1, 4, 4), np.float32), [np.ones((8, 8), bool)], ["a"], dataset)
    assert found == {"left_out": f"lungs are sought in CT slices only, and {dataset} is not known to hold such"}
