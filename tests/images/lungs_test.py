import numpy as np
import pytest

from ctcov_tf.images import lungs
from tfds_ctcov19.phantom import scanner


def dice(ours, theirs):
    return 2 * np.sum(ours & theirs) / (ours.sum() + theirs.sum())


def slices(monkeypatch, indices, sizes):
    """Phantom slices with the lungs that were drawn."""
    draw = scanner.anatomy.draw_slice
    drawn = []

    def record(*arguments):
        drawn.append(draw(*arguments))
        return drawn[-1]

    monkeypatch.setattr(scanner.anatomy, "draw_slice", record)
    for index in indices:
        phantom = scanner.scan(index, sizes)
        yield phantom.image, drawn[-1].lungs[scanner.anatomy.LEFT] | drawn[-1].lungs[scanner.anatomy.RIGHT]


@pytest.mark.parametrize(("sizes", "step"), [((96, 96), 2), ((160, 224), 4), ((512, 512), 15)])
def test_finds_the_lungs_that_were_drawn(monkeypatch, sizes, step):
    found = [(lungs.lung_mask(image), truth) for image, truth in slices(monkeypatch, range(0, 90, step), sizes)]
    scores = [dice(mask, truth) for mask, truth in found if mask is not None]
    assert len(scores) >= 0.85 * len(found)
    assert np.median(scores) > 0.9
    assert np.percentile(scores, 10) > 0.75  # dense consolidation looks like tissue and is left out


def test_grey_scale_and_size_do_not_matter(monkeypatch):
    ((image, truth),) = slices(monkeypatch, [4], (200, 200))
    mask = lungs.lung_mask(image)
    wide = lungs.lung_mask(np.repeat(image, 2, axis=1) // 2 + 40)
    assert (mask.shape, mask.dtype) == (image.shape, bool)
    assert dice(wide, np.repeat(mask, 2, axis=1)) > 0.97
    assert dice(mask, truth) > 0.85


def test_half_a_body_has_no_pair_of_lungs(monkeypatch):
    ((image, truth),) = slices(monkeypatch, [4], (200, 200))
    middle = int(np.flatnonzero(truth.any(axis=0)).mean())
    assert lungs.lung_mask(image) is not None
    assert lungs.lung_mask(np.ascontiguousarray(image[:, :middle])) is None


def test_a_frame_around_the_picture_makes_no_lung_of_the_air_outside(monkeypatch):
    ((image, _),) = slices(monkeypatch, [4], (200, 200))
    mask = lungs.lung_mask(image)
    framed = image.copy()
    framed[:3] = framed[-3:] = framed[:, :3] = framed[:, -3:] = 255
    assert dice(lungs.lung_mask(framed), mask) > 0.97


@pytest.mark.parametrize(
    "image",
    [
        np.full((64, 80), 90, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8),
        np.repeat(np.arange(100, dtype=np.uint8)[:, np.newaxis], 100, axis=1),
    ],
    ids=["constant", "one pixel", "noise", "ramp"],
)
def test_where_there_are_no_lungs_none_are_found(image):
    assert lungs.lung_mask(image) is None
